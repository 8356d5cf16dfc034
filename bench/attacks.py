"""Clients that break the protocol, or request too much. Each returns the status of the reply; 0 if there was none.

They connect to a loopback service that the bench itself has started.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from itertools import repeat
from typing import Any

from httpx2 import Client, ReadError, RemoteProtocolError, WriteError

Attack = Callable[[Client], int]

HEADS, STALLED, STREAMS = 300, 4, 500
PATIENCE_S = 75.0
"""in which a server with deadlines closes a stalled connection"""
_JSON = {"Content-Type": "application/json"}
_CHUNKED = (
    b"POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_UPLOAD = (
    b"POST /datasets HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 100000000\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="x.zip"\r\n\r\n'
)


def status_of(send: Callable[[], Any]) -> int:
    """Send a body that is too long. If the server closes the connection before it is sent, that counts as a 413."""
    try:
        return int(send().status_code)
    except (WriteError, RemoteProtocolError, ReadError):
        return 413


def trailers(size: int) -> Attack:
    """A chunked body of nothing, and so many bytes behind it."""
    line = b"X-Trailer: " + b"a" * 1000 + b"\r\n"
    pieces = [line * 16] * (size // (len(line) * 16))
    return lambda client: _sent(client, _CHUNKED + b"0\r\n", iter(pieces), b"\r\n")


def a_long_trailer(size: int) -> Attack:
    return lambda client: _sent(client, _CHUNKED + b"0\r\nX: ", repeat(b"a" * (16 << 10), size >> 14), b"\r\n\r\n")


def _sent(client: Client, beginning: bytes, pieces: Iterator[bytes], end: bytes) -> int:
    with connected(client) as connection, suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(beginning)
        for piece in pieces:
            connection.sendall(piece)
        connection.sendall(end)
        return _status(connection)
    return 400  # it hung up, and its reply was lost with what it had not read


def unknown_fields(count: int) -> Attack:
    return _posted("/jobs", {f"f{number}": 0 for number in range(count)})


def experiment_of_unknown_fields(count: int, cases: int) -> Attack:
    """Each case is refused for every one of them."""
    overrides = {f"f{number}": 0 for number in range(count)}
    named = [{"name": f"c{number}"} for number in range(cases)]
    return _posted("/experiments", {"recipe": "gan", "overrides": overrides, "cases": named})


def _posted(path: str, body: Any) -> Attack:
    content = json.dumps(body, separators=(",", ":")).encode()
    return lambda client: status_of(lambda: client.post(path, content=content, headers=_JSON))


def half_sent_heads(client: Client) -> int:
    """Open connections with unfinished headers; return the worst of their statuses."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(client)) for _ in range(HEADS)]
        for connection in connections:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        return _worst(connections)


def stalled_uploads(client: Client) -> int:
    """Stall uploads; return the status of a fifth client, which uploads no zip: 415 if the server accepted it."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(client)) for _ in range(STALLED)]
        for connection in connections:
            connection.sendall(_UPLOAD + bytes(1000))
        time.sleep(1.0)  # they have their places by now, if they get any
        fifth = client.post("/datasets", files={"file": ("x.zip", b"no zip")}, data={"name": "fifth"}).status_code
        return fifth if _worst(connections) == 408 else 0


def event_streams(job: str) -> Attack:
    """Open many event streams of a job with a long log, and read them to their end."""

    def opened(client: Client) -> int:
        request = f"GET /jobs/{job}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode()
        with ExitStack() as stack:
            connections = [stack.enter_context(connected(client)) for _ in range(STREAMS)]
            for connection in connections:
                connection.sendall(request)
            return max(map(_read_all, connections))

    return opened


def connected(client: Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=PATIENCE_S)


def _worst(connections: list[socket.socket]) -> int:
    """Return the status with which all of them are closed; 0 if they differ."""
    statuses = {_status(connection) for connection in connections}
    return statuses.pop() if len(statuses) == 1 else 0


def _status(connection: socket.socket) -> int:
    try:
        line = connection.recv(1000).split(b" ", 2)
    except TimeoutError:
        return 0
    return int(line[1]) if len(line) > 1 else 0


def _read_all(connection: socket.socket) -> int:
    """To the last chunk: the connection stays open."""
    status, end = _status(connection), b""
    while not end.endswith(b"\r\n0\r\n\r\n") and (piece := connection.recv(1 << 20)):
        end = (end + piece)[-7:]
    return status


class Alive:
    """Request /livez again and again while the block runs; `worst` is the longest response time, in seconds."""

    EVERY_S = 0.02

    def __init__(self, client: Client) -> None:
        self._connection = HTTPConnection(client.base_url.host, client.base_url.port, timeout=PATIENCE_S)
        self.worst = 0.0

    def send_request(self) -> None:
        began = time.perf_counter()
        self._connection.request("GET", "/livez")
        reply = self._connection.getresponse()
        reply.read()
        assert reply.status == 200
        self.worst = max(self.worst, time.perf_counter() - began)
        time.sleep(self.EVERY_S)

    def close(self) -> None:
        self._connection.close()
