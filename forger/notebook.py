"""Write HTML for notebooks. Needs no Jupyter, which calls `_repr_html_` by itself."""

import base64
from collections.abc import Sequence
from datetime import datetime
from html import escape

from forger.picture import PNG, Picture
from forger.schemas.jobs import JobOut


def job(reply: JobOut, picture: Picture | None) -> str:
    """Return a small table with the newest sample below it."""
    at = reply.progress
    rows = {
        "job": reply.id,
        "recipe": f"{reply.family or 'custom'} on {reply.dataset}",
        "state": reply.state if reply.status_reason is None else f"{reply.state}: {reply.status_reason.message}",
        **({"health": f"{reply.health.kind or reply.health.state}: {reply.health.message}"} if reply.health else {}),
        "step": progress_text(at.step, at.total),
        "model": reply.result.model or reply.model if reply.result else f"{reply.model} (not yet)",
    }
    cells = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>{'' if picture is None else image(picture)}"


def jobs(reply: Sequence[JobOut]) -> str:
    """Return a table with a row for each job."""
    head = ("job", "kind", "recipe", "state", "step", "health", "model", "created")
    rows = "".join(_row("td", _cells(one)) for one in reply)
    return f"<table>{_row('th', head)}{rows}</table>"


def _cells(reply: JobOut) -> Sequence[str]:
    return (
        reply.id,
        reply.kind,
        f"{reply.family or 'custom'} on {reply.dataset}",
        str(reply.state),
        progress_text(reply.progress.step, reply.progress.total),
        (reply.health.kind or reply.health.state) if reply.health else "",
        (reply.result.model if reply.result else None) or reply.model,
        f"{datetime.fromtimestamp(reply.created_at):%Y-%m-%d %H:%M:%S}",
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def progress_text(step: int, total: int | None) -> str:
    """Return a job's progress; the total is None until a budget in minutes has been measured."""
    return str(step) if total is None else f"{step} of {total}"


def image(picture: Picture) -> str:
    return f'<img src="data:{PNG};base64,{base64.b64encode(picture.data).decode()}" alt="the newest sample">'
