"""Log and measure each request under its own id."""

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
"""paths that machines request every few seconds: their log lines are for debugging"""
_REQUEST_ID_HEADER = REQUEST_ID.lower().encode()
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MAX_PATH_CHARACTERS = 200


class AccessLog:
    """Pure ASGI middleware, outermost: it also counts refusals and replies of the framework."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent_id = header(scope, _REQUEST_ID_HEADER) or ""
        request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else secrets.token_hex(12)
        scope.setdefault("state", {})["request_id"] = request_id
        # Never unbound: the server runs each request in its own context, and logs in it after this returns.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        exchange = _Exchange(scope, send, self._metrics)
        try:
            await self._app(scope, receive, exchange)
        finally:
            exchange.end()


class _Exchange:
    """One request and its reply, with the time since it began."""

    def __init__(self, scope: Scope, send: Send, metrics: Metrics) -> None:
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._began = time.perf_counter()
        self._status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._measure(message["status"])
        await self._send(message)

    def end(self) -> None:
        """Log the request. If there is no reply yet, the outer error handler sends a 500 or the client has left."""
        if not self._status:
            self._measure(500)
        path = self._scope["path"]
        write = log.debug if path in PROBES else log.info
        ms = round(1000 * (time.perf_counter() - self._began), 1)
        fields = {"method": self._scope["method"], "route": self._route(), "path": path[:_MAX_PATH_CHARACTERS]}
        write("request", **fields, status=self._status, ms=ms)

    def _measure(self, status: int) -> None:
        self._status = status
        seconds = time.perf_counter() - self._began
        self._metrics.request(self._scope["method"], self._route(), status, seconds)

    def _route(self) -> str | None:
        """Return the route's template, such as /jobs/{job_id}; None if no route was reached."""
        return getattr(self._scope.get("route"), "path", None)
