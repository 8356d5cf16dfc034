"""The head of a request is bounded, and the first of several equal headers counts."""

from itertools import repeat
from urllib.parse import urlsplit

import pytest

from app.api.headers import header
from app.core.limits import MAX_HEAD_BYTES
from tests.support.raw_requests import CHUNKED_JOB, send_until_closed
from tests.support.service import Service

MAX_SENT = 64 * MAX_HEAD_BYTES
PIECE = 16 << 10
CHUNKED = CHUNKED_JOB + b"\r\n"


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
def test_endless_head_is_cut_off(service: Service, beginning: bytes, piece: bytes) -> None:
    port = urlsplit(service.url).port
    assert port is not None
    reply = send_until_closed(port, beginning, repeat(piece), MAX_SENT)
    assert reply == b"" or reply.startswith(b"HTTP/1.1 400")
    assert service.client.get("/livez").status_code == 200


def test_long_head_within_the_limit_is_served(service: Service) -> None:
    reply = service.client.get("/livez", headers={"X-Long": "a" * (MAX_HEAD_BYTES // 2)})
    assert reply.status_code == 200


def test_first_of_several_equal_headers_is_read() -> None:
    scope = {"headers": [(b"accept", b"image/png"), (b"accept", b"image/webp"), (b"x", b"\xe9")]}
    assert header(scope, b"accept") == "image/png"
    assert header(scope, b"x") == "\xe9"
    assert header(scope, b"host") is None
