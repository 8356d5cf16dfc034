"""Bound how much a client sends and how slowly, in uvicorn's HTTP/1.1 protocol of httptools.

httptools has no bounds: heads, trailers and chunk extensions may have any length and take any time.
"""

import secrets
from asyncio import BaseTransport, TimerHandle

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.problems import problem
from app.core.limits import BODY_RATE_WINDOW_S, HEAD_TIMEOUT_S, MAX_HEAD_BYTES, MIN_BODY_BYTES_PER_S
from app.core.logging import get_logger

log = get_logger(__name__)

MAX_PIPELINED = 16
"""requests that may wait on one connection for the reply to an earlier one"""
LINGER_S = 5.0
"""seconds that a client may still send a body after its reply"""
STALLED_S = 120.0
"""seconds after which a client that reads nothing of its reply is disconnected"""
CHECK_INTERVAL_S = 1.0
"""seconds between checks of a connection's deadlines: a timer per connection costs less than one per request"""


class TooLong(Exception):
    """The head is too long, or too many requests are pipelined. Raised to the parser, which stops."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds: it answers 400 to what is too long and 408 to what is too slow, and closes."""

    _timer: TimerHandle | None = None
    _in_head = _in_body = False
    _progressed = False
    """whether the received data ended a head or contained bytes of a body"""
    _outside = 0
    """bytes since the last progress: of a head, a trailer or a chunk extension"""
    _idle_since = 0.0
    """loop time of the connection's start or of its last reply's end"""
    _rate_since, _rate_bytes = 0.0, 0
    """loop time since when the body's rate is measured, and the bytes received since"""
    _stalled_since, _unsent = 0.0, 0
    """loop time since when the client reads nothing of its reply, and the bytes that wait for it"""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._idle_since = self.loop.time()
        self._timer = self.loop.call_later(CHECK_INTERVAL_S, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._progressed = False
        super().data_received(data)
        self._outside = 0 if self._progressed else self._outside + len(data)
        if self._outside > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(400, f"The address and headers are longer than {MAX_HEAD_BYTES} bytes (head). Send less.")

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers arrive here too. They are no headers: host, key and length were read before.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body, self._progressed = False, True, True
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES or len(self.pipeline) >= MAX_PIPELINED:
            raise TooLong
        self._restart_rate()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._progressed = True
        self._rate_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._progressed = False, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "The request is no valid HTTP/1.1, or its head is too long (head). Correct it.")

    def _check(self) -> None:
        """Close the connection if a deadline has passed; check again after CHECK_INTERVAL_S."""
        if self._stalled():
            self.transport.abort()
        elif not self.transport.is_closing():
            self._enforce_deadlines()
        self._timer = self.loop.call_later(CHECK_INTERVAL_S, self._check)

    def _enforce_deadlines(self) -> None:
        waited = self.loop.time() - self._idle_since
        replied = self.cycle is None or self.cycle.response_complete
        if replied and self._in_body and waited > LINGER_S:
            self.transport.close()
        elif replied and not self._in_body and waited > HEAD_TIMEOUT_S:
            self._refuse(
                408, f"The head of a request took longer than {HEAD_TIMEOUT_S} s (head_seconds). Send it again."
            )
        elif not replied and self._in_body and self._too_slow():
            least = f"{MIN_BODY_BYTES_PER_S} bytes/s over {BODY_RATE_WINDOW_S} s (body_rate, body_seconds)"
            self._refuse(408, f"The body came more slowly than {least}. Send it again over a faster connection.")

    def _too_slow(self) -> bool:
        """Return whether too little of a body came. Time in which the server did not read does not count."""
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._restart_rate()
        if self.loop.time() - self._rate_since < BODY_RATE_WINDOW_S:
            return False
        slow = self._rate_bytes < MIN_BODY_BYTES_PER_S * BODY_RATE_WINDOW_S
        self._restart_rate()
        return slow

    def _restart_rate(self) -> None:
        self._rate_since, self._rate_bytes = self.loop.time(), 0

    def _stalled(self) -> bool:
        """Return whether the client has read nothing of its waiting reply for too long."""
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if not self.flow.write_paused or unsent < self._unsent:
            self._stalled_since = now
        self._unsent = unsent
        return now - self._stalled_since > STALLED_S

    def _refuse(self, status: int, sentence: str) -> None:
        log.info("client_refused", status=status, detail=sentence)
        if not self._replying():
            scope = {"state": {"request_id": secrets.token_hex(12)}}
            reply = problem(scope, status, sentence, headers={"Connection": "close"})
            headers = [*self.server_state.default_headers, *reply.raw_headers]
            lines = [STATUS_LINE[status], *(b"%b: %b\r\n" % header for header in headers), b"\r\n"]
            self.transport.write(b"".join([*lines, bytes(reply.body)]))
        self.transport.close()

    def _replying(self) -> bool:
        """Return whether a reply is being written, so that no other may be written."""
        begun = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        return begun or bool(self.pipeline)
