"""A line that breaks: forwards bytes to a server and cuts its connections after so many bytes of the reply."""

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def breaking_line(port: int, cuts: Iterable[int | None], at: int = 0) -> Iterator[str]:
    """The address of a way to the local port, itself at port `at` (0: a free one).

    The n-th connection is cut after `cuts[n]` bytes of reply; None: never. When `cuts` is used up, no connection is cut
    any more.
    """
    limits = iter(cuts)
    with socket.create_server(("127.0.0.1", at)) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, port, limits), daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()


def _accept(listener: socket.socket, port: int, limits: Iterator[int | None]) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_serve, args=(near, far, next(limits, None)), daemon=True).start()


def _serve(near: socket.socket, far: socket.socket, limit: int | None) -> None:
    with near, far:
        asking = threading.Thread(target=_carry, args=(near, far, None), daemon=True)
        asking.start()
        _carry(far, near, limit)
        asking.join()


def _carry(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    """Until one side ends or `limit` bytes are through; then both are cut."""
    with contextlib.suppress(OSError):
        while limit is None or limit > 0:
            data = source.recv(4096 if limit is None else min(4096, limit))
            if not data:
                break
            sink.sendall(data)
            limit = None if limit is None else limit - len(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
