"""HTTP requests as bytes, for tests that send a part of one or too much."""

import socket
from collections.abc import Iterator

import pytest

from tests.support.server import connected

CHUNKED_JOB = (
    b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
)
"""the head of a request with a chunked body, without the empty line at its end"""


def upload_beginning(length: int) -> bytes:
    """Return the beginning of an upload of a dataset, whose body shall have this length."""
    return (
        b"POST /datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: %d\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="x.zip"\r\n\r\n'
    ) % length


def send_until_closed(port: int, beginning: bytes, pieces: Iterator[bytes], limit: int) -> bytes:
    """Send the beginning and the pieces until the server closes the connection; return its reply.

    Fail the test if the server accepts more than `limit` bytes of the pieces.
    """
    with connected(port) as connection:
        connection.sendall(beginning)
        sent = 0
        try:
            for piece in pieces:
                connection.sendall(piece)
                sent += len(piece)
                if sent > limit:
                    pytest.fail(f"The server accepts more than {limit} bytes.")
        except (BrokenPipeError, ConnectionResetError):
            pass
        return _first_bytes(connection)


def _first_bytes(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1000)
    except ConnectionResetError:  # the server closed with unread bytes, which discards its reply
        return b""
