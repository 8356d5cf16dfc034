"""Headers where every request passes: one of a request, and those that every reply has."""

from collections.abc import Mapping
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""methods that change nothing (RFC 9110)"""


OPEN = frozenset({"/livez", "/readyz"})
"""addresses that ask for no key"""


TOLD: Mapping[str, tuple[str, str]] = {
    "X-Forger-Model": ("string", "The version that answered, as name@version."),
    "X-Forger-Seed": ("integer", "The seed; the same model, seed and class give the same bytes again."),
    "X-Forger-Class": ("string", "The class's number, or each; where one was asked for."),
    "Forger-Health": (
        "string",
        "What is known of the model's training, as `troubled; kind=collapse; step=400`; where it was noted.",
    ),
    "Forger-Note": ("string", "Sentences on what was passed over of the picture, or does not fit the model; if any."),
}
"""what replies that pictures come in say of themselves: the type, and what it means"""


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


def described(*names: str) -> dict[str, Any]:
    """Headers of a reply, for the OpenAPI document."""
    return {name: {"schema": {"type": TOLD[name][0]}, "description": TOLD[name][1]} for name in names}


class Head:
    """Pure ASGI: answers HEAD as GET, on every route that knows GET, and sends nothing of the body.

    The reply is ended with its head, so that no file is read and no stream of events stays open.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        with anyio.CancelScope() as rest:

            async def headed(message: Message) -> None:
                if rest.cancel_called:
                    return
                scope["route"] = asked.get("route")  # for the log and the metrics
                await send(message)
                await send({"type": "http.response.body"})
                rest.cancel()

            await self._app(asked, receive, headed)


class Prefix:
    """Pure ASGI, outermost. Requests are answered with the prefix and without: a proxy may take it off or leave it.

    So our own links also work for a client that asks without the proxy.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{self._path}/"):
            scope["path"] = scope["path"].removeprefix(self._path)
            scope["raw_path"] = scope["raw_path"].removeprefix(self._path.encode())
        await self._app(scope, receive, send)
