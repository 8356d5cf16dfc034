"""HTML for notebooks. Imports nothing of Jupyter, which calls `_repr_html_` by itself."""

import base64
from html import escape

from app.remote.picture import PNG, Picture
from app.schemas.jobs import JobOut


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


def course(step: int, total: int | None) -> str:
    """How far a job has come; how long it is, is not known before a budget in minutes has been measured."""
    return str(step) if total is None else f"{step} of {total}"


def image(picture: Picture) -> str:
    return f'<img src="data:{PNG};base64,{base64.b64encode(picture.data).decode()}" alt="the newest sample">'
