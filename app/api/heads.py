"""Headers where every request passes: one of a request, and those that every reply has."""

from starlette.types import Scope

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""methods that change nothing (RFC 9110)"""
PROTECTIVE = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
"""of every reply: no guessing of its type, and no page of another origin embeds it"""


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first header of that name, which is given in lower case.

    starlette's Headers decodes all of them for each question.
    """
    for known, value in scope["headers"]:
        if known == name:
            text: str = value.decode("latin-1")
            return text
    return None
