"""An unreliable connection: a proxy that forwards bytes and cuts connections after so many bytes of the reply."""

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def breaking_line(port: int, cuts: Iterable[int | None], at: int = 0) -> Iterator[str]:
    """Run a proxy to the local port, itself at port `at` (0: a free one); yield its address.

    The n-th connection is cut after `cuts[n]` bytes of reply (None: never); connections beyond the list are not cut.
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
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=_serve, args=(client, server, next(limits, None)), daemon=True).start()


def _serve(client: socket.socket, server: socket.socket, limit: int | None) -> None:
    with client, server:
        requests = threading.Thread(target=_forward, args=(client, server, None), daemon=True)
        requests.start()
        _forward(server, client, limit)
        requests.join()


def _forward(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    """Forward bytes until one side ends or `limit` bytes have passed; then cut both."""
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
