"""Each part of an HTTP message has a size limit and a deadline, and a client that keeps to them is not cut off."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Response
from pydantic import SecretStr

from app.api import protocol
from app.core.limits import MAX_HEAD_BYTES
from app.core.settings import get_settings
from app.main import create_app
from tests.support.jobs import make_job
from tests.support.raw_requests import CHUNKED_JOB, upload_beginning
from tests.support.server import connected, reply_of, serving
from tests.support.wait import until

KEY = "s3cret"
HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def backend() -> str:
    """Use one database: these tests read hardly anything from it."""
    return "sqlite"


@pytest.fixture(scope="module")
def port(api_home: Path) -> Iterator[int]:
    with serving(create_app(get_settings())) as port:
        yield port


@pytest.fixture
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all deadlines short."""
    monkeypatch.setattr(protocol, "CHECK_INTERVAL_S", 0.05)
    for name in ("HEAD_TIMEOUT_S", "BODY_RATE_WINDOW_S", "LINGER_S", "STALLED_S"):
        monkeypatch.setattr(protocol, name, 1)


def problem_in(reply: bytes, status: int) -> dict[str, object]:
    """Check that the bytes are a problem document with this status; return the document."""
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), reply
    assert b"content-type: application/problem+json" in head.lower()
    assert b"cross-origin-resource-policy: same-origin" in head.lower()
    problem: dict[str, object] = json.loads(body)
    assert problem["status"] == status
    return problem


@pytest.mark.slow
@pytest.mark.usefixtures("short_deadlines")
@pytest.mark.parametrize("beginning", [b"", b"\r\n", b"GET", HEAD, HEAD + b"\r\n" + HEAD], ids=repr)
def test_unfinished_head_times_out_with_408(port: int, beginning: bytes) -> None:
    with connected(port) as connection:
        connection.sendall(beginning)
        *served, last = reply_of(connection).split(b"HTTP/1.1 ")[1:]
        assert [reply[:3] for reply in served] == ([b"200"] if beginning.count(b"\r\n\r\n") else [])
        assert "(head_seconds)" in str(problem_in(b"HTTP/1.1 " + last, 408)["detail"])


@pytest.mark.slow
@pytest.mark.usefixtures("short_deadlines")
def test_upload_that_stalls_times_out_and_its_file_is_deleted(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(upload_beginning(1_000_000) + bytes(100_000))
        until(lambda: list(get_settings().incoming.glob("*")))
        assert "(body_rate, body_seconds)" in str(problem_in(reply_of(connection), 408)["detail"])
    until(lambda: not list(get_settings().incoming.glob("*")))


@pytest.mark.slow
@pytest.mark.usefixtures("short_deadlines")
def test_slow_body_above_the_minimum_rate_is_read_to_its_end(port: int) -> None:
    """It takes longer than any deadline, at ten times the minimum rate."""
    body = json.dumps({"recipe": "none"}).encode() + b" " * 30_000
    with connected(port) as connection:
        connection.sendall(CHUNKED_JOB + b"Connection: close\r\n\r\n")
        for start in range(0, len(body), 1000):
            piece = body[start : start + 1000]
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            time.sleep(0.1)
        connection.sendall(b"0\r\n\r\n")
        assert b"No family is called" in reply_of(connection)


@pytest.mark.slow
@pytest.mark.usefixtures("short_deadlines")
def test_event_stream_is_not_cut_off_at_a_deadline(port: int) -> None:
    """Its head arrived in time and it has no body: the client need not send anything more."""

    def read(connection: socket.socket) -> None:
        while piece := connection.recv(1 << 16):
            received.append(piece)

    received: list[bytes] = []
    job = make_job()
    with connected(port) as connection:
        request = f"GET /jobs/{job.id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        connection.sendall(request.encode())
        connection.settimeout(3)
        with pytest.raises(TimeoutError):
            read(connection)
    assert b"event: state" in b"".join(received)


@pytest.mark.slow
@pytest.mark.usefixtures("short_deadlines")
def test_client_that_keeps_sending_after_the_reply_is_disconnected(port: int) -> None:
    def send(connection: socket.socket) -> None:
        for _ in range(300):
            connection.sendall(b"x" * 1000)
            time.sleep(0.1)

    with connected(port) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send(connection)


@pytest.mark.slow
@pytest.mark.usefixtures("short_deadlines")
def test_client_that_does_not_read_its_reply_is_disconnected() -> None:
    size, app = 64 << 20, FastAPI()
    app.add_api_route("/much", lambda: Response(bytes(size)))
    with serving(app) as port, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(4)
        assert len(reply_of(connection)) < size


@pytest.mark.parametrize(
    "trailer", [b"Authorization: Bearer s3cret\r\n", b"Host: localhost\r\n", b"Content-Type: text/plain\r\n"], ids=repr
)
def test_trailers_are_not_read_as_headers(api_home: Path, trailer: bytes) -> None:
    settings = get_settings().model_copy(update={"api_key": SecretStr(KEY)})
    request = CHUNKED_JOB + b"Connection: close\r\n%b\r\n0\r\n" + trailer + b"\r\n"
    with serving(create_app(settings)) as port:
        for key, status in ((b"", 401), (b"Authorization: Bearer s3cret\r\n", 422)):
            with connected(port) as connection:
                connection.sendall(request % key)
                problem_in(reply_of(connection), status)


@pytest.mark.parametrize(
    "addition",
    [
        b"0\r\n" + b"X-T: aaaa\r\n" * MAX_HEAD_BYTES,
        b"0\r\nX-T: " + b"a" * 8 * MAX_HEAD_BYTES,
        b"1;" + b"a" * 8 * MAX_HEAD_BYTES,
    ],
    ids=["many trailers", "a long trailer", "a long chunk extension"],
)
def test_trailers_and_chunk_extensions_are_bounded(port: int, addition: bytes) -> None:
    with connected(port) as connection:
        connection.sendall(CHUNKED_JOB + b"\r\n")
        try:
            for start in range(0, len(addition), 10_000):
                connection.sendall(addition[start : start + 10_000])
        except (BrokenPipeError, ConnectionResetError):
            return
        reply = reply_of(connection)
        assert reply == b"" or "(head)" in str(problem_in(reply, 400)["detail"])


@pytest.mark.parametrize("padding", [MAX_HEAD_BYTES, 3 * MAX_HEAD_BYTES])
def test_head_over_the_limit_in_one_piece_is_refused(port: int, padding: int) -> None:
    with connected(port) as connection:
        connection.sendall(HEAD + b"X-Long: " + b"a" * padding + b"\r\n\r\n")
        problem_in(reply_of(connection), 400)


def test_pipelined_requests_on_one_connection_are_bounded(port: int) -> None:
    request = HEAD + b"\r\n"
    with connected(port) as connection:
        connection.sendall(request * protocol.MAX_PIPELINED + HEAD + b"Connection: close\r\n\r\n")
        assert reply_of(connection).count(b"HTTP/1.1 200") == protocol.MAX_PIPELINED + 1
    with connected(port) as connection:
        connection.sendall(request * 10 * protocol.MAX_PIPELINED)
        assert reply_of(connection).count(b"HTTP/1.1 200") <= protocol.MAX_PIPELINED + 1
