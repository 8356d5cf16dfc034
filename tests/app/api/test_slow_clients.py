"""Hundreds of slow and stalled clients at a real service: other clients are served meanwhile."""

import time
from contextlib import ExitStack
from socket import socket
from urllib.parse import urlsplit

import pytest

from app.core.limits import HEAD_TIMEOUT_S
from tests.support.raw_requests import upload_beginning
from tests.support.server import connected, reply_of
from tests.support.service import Service
from tests.support.wait import until

HEADS, STREAMS, UPLOADS = 300, 500, 8
STALLED_UPLOAD = upload_beginning(100_000_000) + bytes(1000)


def open_connections(stack: ExitStack, service: Service, count: int, sent: bytes) -> list[socket]:
    """Open connections that have each sent the same bytes."""
    port = urlsplit(service.url).port
    assert port is not None
    connections = [stack.enter_context(connected(port)) for _ in range(count)]
    for connection in connections:
        connection.sendall(sent)
    return connections


def upload_status(service: Service) -> int:
    """Return the status of an upload that is no zip: 415 if it is read at all."""
    return service.client.post("/datasets", files={"file": b"no zip"}, data={"name": "x"}).status_code


def test_stalled_uploads_do_not_block_other_uploads(service: Service) -> None:
    with ExitStack() as stack:
        open_connections(stack, service, UPLOADS, STALLED_UPLOAD)
        until(lambda: len(list(service.home.glob("incoming/*"))) >= UPLOADS)
        assert upload_status(service) == 415
    until(lambda: not list(service.home.glob("incoming/*")))


def test_500_event_streams_are_served_at_once(service: Service) -> None:
    job = service.post(recipe="gan", dataset="ring8", budget={"steps": 10**6})
    service.client.post(f"/jobs/{job}/cancel")
    service.wait_for(job, "cancelled")
    request = (
        f"GET /jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
    )
    with ExitStack() as stack:
        connections = open_connections(stack, service, STREAMS, request.encode())
        assert service.client.get("/livez").status_code == 200
        for connection in connections:
            reply = reply_of(connection)
            assert reply.startswith(b"HTTP/1.1 200")
            assert reply.count(b"event: state") >= 2
            assert reply.endswith(b"0\r\n\r\n")


@pytest.mark.long
def test_half_sent_heads_and_stalled_uploads_time_out_with_408(service: Service) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        stalled = open_connections(stack, service, UPLOADS, STALLED_UPLOAD)
        heads = open_connections(stack, service, HEADS, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert service.client.get("/livez").status_code == 200
        for connection in (*heads, *stalled):
            connection.settimeout(4 * HEAD_TIMEOUT_S)
            assert reply_of(connection).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began >= HEAD_TIMEOUT_S - 1
    assert upload_status(service) == 415
