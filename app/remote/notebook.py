"""How results look in a notebook. Nothing of Jupyter is imported: it asks objects for their HTML by itself."""

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
        "step": f"{at.step} of {at.total}",
        "model": seen.result.model if seen.result else f"{seen.model} (not yet)",
    }
    cells = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f"<table>{cells}</table>{'' if picture is None else image(picture)}"


def image(picture: Picture) -> str:
    return f'<img src="data:{PNG};base64,{base64.b64encode(picture.data).decode()}" alt="the newest sample">'
