"""HTML for notebooks. Imports nothing of Jupyter, which calls `_repr_html_` by itself."""

import base64
from collections.abc import Sequence
from datetime import datetime
from html import escape

from forger.picture import PNG, Picture
from forger.schemas.jobs import JobOut


def job(seen: JobOut, picture: Picture | None) -> str:
    """A small table, and the newest sample below it."""
    at = seen.progress
    rows = {
        "job": seen.id,
        "recipe": f"{seen.family or 'custom'} on {seen.dataset}",
        "state": seen.state if seen.status_reason is None else f"{seen.state}: {seen.status_reason.message}",
        **({"health": f"{seen.health.kind or seen.health.state}: {seen.health.message}"} if seen.health else {}),
        "step": course(at.step, at.total),
        "model": seen.result.model or seen.model if seen.result else f"{seen.model} (not yet)",
    }
    cells = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>{'' if picture is None else image(picture)}"


def jobs(seen: Sequence[JobOut]) -> str:
    """A row for each job."""
    head = ("job", "kind", "recipe", "state", "step", "health", "model", "created")
    rows = "".join(_row("td", _cells(one)) for one in seen)
    return f"<table>{_row('th', head)}{rows}</table>"


def _cells(seen: JobOut) -> Sequence[str]:
    return (
        seen.id,
        seen.kind,
        f"{seen.family or 'custom'} on {seen.dataset}",
        str(seen.state),
        course(seen.progress.step, seen.progress.total),
        (seen.health.kind or seen.health.state) if seen.health else "",
        (seen.result.model if seen.result else None) or seen.model,
        f"{datetime.fromtimestamp(seen.created_at):%Y-%m-%d %H:%M:%S}",
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def course(step: int, total: int | None) -> str:
    """How far a job has come; how long it is, is not known before a budget in minutes has been measured."""
    return str(step) if total is None else f"{step} of {total}"


def image(picture: Picture) -> str:
    return f'<img src="data:{PNG};base64,{base64.b64encode(picture.data).decode()}" alt="the newest sample">'
