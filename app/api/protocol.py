"""HTTP/1.1 as uvicorn speaks it through httptools, with bounds on how much a client sends and how slowly.

httptools has none: heads, trailers and chunk extensions may have any length, and may take for ever.
"""

import secrets
from asyncio import BaseTransport, TimerHandle

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.problems import problem
from app.core.limits import BODY_RATE, BODY_SECONDS, HEAD_BYTES, HEAD_SECONDS
from app.core.logging import get_logger

log = get_logger(__name__)

PIPELINED = 16
"""requests that may wait on one connection for the reply to an earlier one"""
LINGER_S = 5.0
"""Seconds that a client may go on sending a body whose reply it has."""
STALLED_S = 120.0
"""Seconds after which a client that takes nothing of its reply is dropped."""
LOOK_S = 1.0
"""Seconds between two looks at a connection's deadlines: one timer for each costs less than one for each request."""


class TooLong(Exception):
    """Raised to the parser, which ends the message."""


class BoundedProtocol(HttpToolsProtocol):
    """Given to uvicorn by name. Answers 400 to what is too long and 408 to what is too slow, and closes."""

    _timer: TimerHandle | None = None
    _in_head = _in_body = False
    _progressed = False
    """whether the piece that is being read ended a head or held bytes of a body"""
    _outside = 0
    """bytes since the last progress: of a head, a trailer, a chunk's extension"""
    _idle_since = 0.0
    """when the connection was made, or its last reply sent"""
    _rate_since, _rate_bytes = 0.0, 0
    """since when the rate of the body is measured, and the bytes that came"""
    _stalled_since, _unsent = 0.0, 0
    """since when the client takes nothing of its reply, and the bytes that wait for it"""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._idle_since = self.loop.time()
        self._timer = self.loop.call_later(LOOK_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._progressed = False
        super().data_received(data)
        self._outside = 0 if self._progressed else self._outside + len(data)
        if self._outside > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(400, f"The address and headers are longer than {HEAD_BYTES} bytes (head). Send less.")

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer comes here too. It is no header: the host, the key and the length were read before it came.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body, self._progressed = False, True, True
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEAD_BYTES or len(self.pipeline) >= PIPELINED:
            raise TooLong
        self._measure_anew()
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
        self._refuse(400, "The request is no HTTP that is read here, or its head is too long (head). Correct it.")

    def _look(self) -> None:
        """Close the connection if a deadline has passed; look again in a while."""
        if self._stalled():
            self.transport.abort()
        elif not self.transport.is_closing():
            self._hurry()
        self._timer = self.loop.call_later(LOOK_S, self._look)

    def _hurry(self) -> None:
        waited = self.loop.time() - self._idle_since
        replied = self.cycle is None or self.cycle.response_complete
        if replied and self._in_body and waited > LINGER_S:
            self.transport.close()
        elif replied and not self._in_body and waited > HEAD_SECONDS:
            self._refuse(408, f"The head of a request took longer than {HEAD_SECONDS} s (head_seconds). Send it again.")
        elif not replied and self._in_body and self._too_slow():
            least = f"{BODY_RATE} bytes/s over {BODY_SECONDS} s (body_rate, body_seconds)"
            self._refuse(408, f"The body came more slowly than {least}. Send it again over a faster connection.")

    def _too_slow(self) -> bool:
        """Whether too little of a body came. Time in which we did not read it does not count."""
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._measure_anew()
        if self.loop.time() - self._rate_since < BODY_SECONDS:
            return False
        slow = self._rate_bytes < BODY_RATE * BODY_SECONDS
        self._measure_anew()
        return slow

    def _measure_anew(self) -> None:
        self._rate_since, self._rate_bytes = self.loop.time(), 0

    def _stalled(self) -> bool:
        """Whether the client has taken nothing of what waits for it, for too long."""
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
        """Whether a reply is under way, in which another must not be written."""
        begun = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        return begun or bool(self.pipeline)
