"""A new version is served without a restart and without a failed request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.testclient import TestClient

from tests.api.conftest import Publish
from tests.support.wait import until

CROWD = 4


def test_a_new_version_is_served_while_everybody_asks(client: TestClient, publish: Publish) -> None:
    publish("gan", "ring8", name="ring")
    with crowd(client) as replies:
        for seed in range(2, 6):
            newest = publish("gan", "ring8", name="ring", seed=seed)
            until(lambda newest=newest: replies and replies[-1][1] == newest)  # type: ignore[misc]
    assert {status for status, _ in replies} == {200}
    assert {model for _, model in replies} == {f"ring@{version}" for version in range(1, 6)}


def test_one_that_is_withdrawn_gives_way_to_the_one_before(client: TestClient, publish: Publish) -> None:
    publish("gan", "ring8", name="pair")
    later = publish("gan", "ring8", name="pair", seed=2)
    with crowd(client) as replies:
        until(lambda: replies and replies[-1][1] == later)
        assert client.delete(f"/models/{later}").status_code == 204
        until(lambda: replies[-1][1] == "pair@1")
    assert {status for status, _ in replies} == {200}


@contextmanager
def crowd(client: TestClient) -> Iterator[list[tuple[int, str | None]]]:
    """Asks for samples of the newest model until the block ends: status and model of each reply."""
    replies: list[tuple[int, str | None]] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            reply = client.get("/sample?n=2")
            replies.append((reply.status_code, reply.headers.get("x-forger-model")))

    threads = [threading.Thread(target=ask) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    try:
        yield replies
    finally:
        ended.set()
        for thread in threads:
            thread.join()
