"""A real uvicorn server in a thread of this process, with the HTTP protocol class of the service."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from app.api.protocol import BoundedProtocol
from tests.support.wait import until


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """Run the server; yield its port."""
    config = uvicorn.Config(app, http=BoundedProtocol, timeout_graceful_shutdown=2, log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        until(lambda: server.started)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def reply_of(connection: socket.socket) -> bytes:
    """Return everything that arrives until the server closes the connection."""
    reply = b""
    try:
        while piece := connection.recv(1 << 16):
            reply += piece
    except ConnectionResetError:  # the server closed with unread bytes, which discards the end of the reply
        pass
    return reply
