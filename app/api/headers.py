"""Read and describe HTTP headers, and answer HEAD and prefixed paths."""

from collections.abc import Mapping
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""methods that change nothing (RFC 9110)"""


OPEN_PATHS = frozenset({"/livez", "/readyz", "/session"})
"""paths that need no key"""
OPEN_PREFIXES = ("/studio", "/docs")
"""beginnings of paths that need no key: the files of the pages, which hold no data"""


REPLY_HEADERS: Mapping[str, tuple[str, str]] = {
    "X-Forger-Model": ("string", "The version that drew the picture, as name@version."),
    "X-Forger-Seed": ("integer", "The seed; the same model, seed and class give the same bytes again."),
    "X-Forger-Class": ("string", "The number of the requested class, or each; absent if none was requested."),
    "Forger-Health": (
        "string",
        "Health of the model's training, such as `troubled; kind=collapse; step=400`, if it was recorded.",
    ),
    "Forger-Parity": (
        "string",
        "How far the exported files are from what Forger serves: `max_abs=1.9e-07; mean_abs=2.1e-08; inputs=64`.",
    ),
    "Forger-Note": ("string", "Sentences on ignored parts of the picture and on a mismatch with the model, if any."),
}
"""headers of replies with pictures: type and description"""


PROTECTIVE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
}
"""headers of every reply: browsers must not guess its type, pages of other origins must not embed it, and a page runs
only scripts and styles that are files of this service"""


def header(scope: Scope, name: bytes) -> str | None:
    """Return the first header of that name, in lower case; None if there is none.

    starlette's Headers decodes all headers at each look-up.
    """
    for candidate, value in scope["headers"]:
        if candidate == name:
            text: str = value.decode("latin-1")
            return text
    return None


def prefers_page(scope: Scope) -> bool:
    """Return whether the Accept header names HTML first, as that of a browser's address bar does."""
    return (header(scope, b"accept") or "").lower().startswith("text/html")


def header_docs(*names: str) -> dict[str, Any]:
    """Return the description of a reply's headers for the OpenAPI document."""
    return {name: {"schema": {"type": REPLY_HEADERS[name][0]}, "description": REPLY_HEADERS[name][1]} for name in names}


class HeadMethod:
    """Pure ASGI middleware: answer HEAD like GET on every route that has GET, without the body.

    The request is cancelled after the head of its reply: no file is read, and no event stream stays open.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        get_scope = {**scope, "method": "GET"}
        with anyio.CancelScope() as request:

            async def send_head(message: Message) -> None:
                if request.cancel_called:
                    return
                # The log and the metrics need the route.
                scope["route"] = get_scope.get("route")
                await send(message)
                await send({"type": "http.response.body"})
                request.cancel()

            await self._app(get_scope, receive, send_head)


class PathPrefix:
    """Pure ASGI middleware, outermost: remove the prefix from a path, if a proxy has not removed it already.

    So the service's links also work for a client that does not use the proxy.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{self._path}/"):
            scope["path"] = scope["path"].removeprefix(self._path)
            scope["raw_path"] = scope["raw_path"].removeprefix(self._path.encode())
        await self._app(scope, receive, send)
