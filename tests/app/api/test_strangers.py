"""Clients that ask for much and send little, at a real service: others are served meanwhile."""

import time
from contextlib import ExitStack
from socket import socket
from urllib.parse import urlsplit

import pytest

from app.core.limits import HEAD_TIMEOUT_S
from tests.support.server import connected, reply_of
from tests.support.service import Service
from tests.support.wait import until

HEADS, STREAMS, UPLOADS = 300, 500, 8
UPLOAD = (
    b"POST /datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 100000000\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="x.zip"\r\n\r\n'
)


def many(stack: ExitStack, service: Service, count: int, sent: bytes) -> list[socket]:
    port = urlsplit(service.url).port
    assert port is not None
    held = [stack.enter_context(connected(port)) for _ in range(count)]
    for connection in held:
        connection.sendall(sent)
    return held


def uploaded(service: Service) -> int:
    """The status of one that is no zip."""
    return service.client.post("/datasets", files={"file": b"no zip"}, data={"name": "x"}).status_code


def test_stalled_uploads_keep_nobody_out(service: Service) -> None:
    with ExitStack() as stack:
        many(stack, service, UPLOADS, UPLOAD + bytes(1000))
        until(lambda: len(list(service.home.glob("incoming/*"))) >= UPLOADS)
        assert uploaded(service) == 415
    until(lambda: not list(service.home.glob("incoming/*")))


def test_500_streams_are_opened_at_once(service: Service) -> None:
    job = service.post(recipe="gan", dataset="ring8", budget={"steps": 10**6})
    service.client.post(f"/jobs/{job}/cancel")
    service.wait_for(job, "cancelled")
    ask = (
        f"GET /jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
    )
    with ExitStack() as stack:
        held = many(stack, service, STREAMS, ask.encode())
        assert service.client.get("/livez").status_code == 200
        for connection in held:
            told = reply_of(connection)
            assert told.startswith(b"HTTP/1.1 200")
            assert told.count(b"event: state") >= 2
            assert told.endswith(b"0\r\n\r\n")


@pytest.mark.long
def test_half_sent_heads_and_stalled_uploads_are_given_up_in_time(service: Service) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        stalled = many(stack, service, UPLOADS, UPLOAD + bytes(1000))
        heads = many(stack, service, HEADS, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert service.client.get("/livez").status_code == 200
        for connection in (*heads, *stalled):
            connection.settimeout(4 * HEAD_TIMEOUT_S)
            assert reply_of(connection).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began >= HEAD_TIMEOUT_S - 1
    assert uploaded(service) == 415
