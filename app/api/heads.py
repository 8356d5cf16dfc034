"""One header of a request, read where every request passes: starlette's Headers decodes them all for each question."""

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """`name` in lower case; of several the first."""
    for known, value in scope["headers"]:
        if known == name:
            text: str = value.decode("latin-1")
            return text
    return None
