"""HTTP/1.1 as uvicorn speaks it through httptools, with a bound on what stands before a body: httptools has none."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 << 10
"""of an address and its headers; what comes in one piece with their end is not counted"""


class BoundedProtocol(HttpToolsProtocol):
    """Given to uvicorn by name. A head that does not end in time is answered with 400 and the connection closed."""

    _heading = False
    _head = 0

    def on_message_begin(self) -> None:
        self._heading = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._heading = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head = self._head + len(data) if self._heading else 0
        if self._head > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The address and headers are too long.")
