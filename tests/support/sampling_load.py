"""Clients that request samples all the time, while a test changes the models."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.testclient import TestClient

CLIENTS = 4


@contextmanager
def sampling_clients(client: TestClient, path: str = "/sample?n=2") -> Iterator[list[tuple[int, str | None, bytes]]]:
    """Request the path from several threads until the block ends; yield status, model and bytes of each reply."""
    replies: list[tuple[int, str | None, bytes]] = []
    ended = threading.Event()

    def request_until_ended() -> None:
        while not ended.is_set():
            reply = client.get(path)
            replies.append((reply.status_code, reply.headers.get("x-forger-model"), reply.content))

    threads = [threading.Thread(target=request_until_ended) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield replies
    finally:
        ended.set()
        for thread in threads:
            thread.join()
