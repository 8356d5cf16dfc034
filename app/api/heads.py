"""Headers where every request passes: one of a request, and those that every reply has."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
