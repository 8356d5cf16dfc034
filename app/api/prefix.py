"""The path under which a proxy publishes the service."""

from starlette.types import ASGIApp, Receive, Scope, Send


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
