"""What stands before a body is bounded, and one header is read as it was sent; through a real server's socket."""

import socket
from collections.abc import Iterator
from itertools import repeat
from urllib.parse import urlsplit

import pytest

from app.api.headers import header
from app.core.limits import MAX_HEAD_BYTES
from tests.support.service import Service

MOST = 64 * MAX_HEAD_BYTES
PIECE = 16 << 10
CHUNKED = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def sent_until_closed(service: Service, beginning: bytes, pieces: Iterator[bytes]) -> tuple[int, bytes]:
    """Bytes that were taken, and the reply."""
    where = urlsplit(service.url)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(beginning)
        sent = 0
        try:
            for piece in pieces:
                connection.sendall(piece)
                sent += len(piece)
                if sent > MOST:
                    pytest.fail("The server takes a head without end.")
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            return sent, connection.recv(1000)
        except ConnectionResetError:  # what it had not read swept its reply away
            return sent, b""


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"X-Many: " + b"a" * 1000 + b"\r\n"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"a" * PIECE),
        (b"GET /livez?", b"a" * PIECE),
        (CHUNKED + b"0\r\n", b"X-Many: " + b"a" * 1000 + b"\r\n"),
        (CHUNKED + b"0\r\nX-Long: ", b"a" * PIECE),
    ],
    ids=["many headers", "a long header", "a long address", "many trailers", "a long trailer"],
)
def test_a_head_without_end_is_cut_off(service: Service, beginning: bytes, piece: bytes) -> None:
    _, reply = sent_until_closed(service, beginning, repeat(piece))
    assert reply == b"" or reply.startswith(b"HTTP/1.1 400")
    assert service.client.get("/livez").status_code == 200


def test_a_long_head_that_ends_is_served(service: Service) -> None:
    reply = service.client.get("/livez", headers={"X-Long": "a" * (MAX_HEAD_BYTES // 2)})
    assert reply.status_code == 200


def test_of_several_headers_the_first_is_read() -> None:
    scope = {"headers": [(b"accept", b"image/png"), (b"accept", b"image/webp"), (b"x", b"\xe9")]}
    assert header(scope, b"accept") == "image/png"
    assert header(scope, b"x") == "\xe9"
    assert header(scope, b"host") is None
