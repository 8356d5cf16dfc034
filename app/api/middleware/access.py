"""Middleware that logs and measures each request under an id of its own."""

import re
import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.headers import header
from app.api.problems import REQUEST_ID
from app.core.logging import get_logger
from app.services.system.metrics import Metrics

log = get_logger(__name__)

PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""asked every few seconds by machines: their lines are for debugging"""
_GIVEN = REQUEST_ID.lower().encode()
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PATH_CHARACTERS = 200


class Access:
    """Pure ASGI, outermost: refusals and replies of the framework are counted like all others."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = header(scope, _GIVEN) or ""
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        scope.setdefault("state", {})["request_id"] = request_id
        # Never unbound: the server runs each request in a context of its own, and logs in it after we return.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        exchange = _Exchange(scope, send, self._metrics)
        try:
            await self._app(scope, receive, exchange)
        finally:
            exchange.end()


class _Exchange:
    """Sends the reply and knows when it began."""

    def __init__(self, scope: Scope, send: Send, metrics: Metrics) -> None:
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._began = time.perf_counter()
        self._status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._answered(message["status"])
        await self._send(message)

    def end(self) -> None:
        """Without a reply until now, the error handler outside of us sends a 500, or the client has left."""
        if not self._status:
            self._answered(500)
        path = self._scope["path"]
        write = log.debug if path in PROBES else log.info
        ms = round(1000 * (time.perf_counter() - self._began), 1)
        said = {"method": self._scope["method"], "route": self._route(), "path": path[:_PATH_CHARACTERS]}
        write("request", **said, status=self._status, ms=ms)

    def _answered(self, status: int) -> None:
        self._status = status
        seconds = time.perf_counter() - self._began
        self._metrics.request(self._scope["method"], self._route(), status, seconds)

    def _route(self) -> str | None:
        """The template, as /jobs/{job_id}; None where no route was reached."""
        return getattr(self._scope.get("route"), "path", None)
