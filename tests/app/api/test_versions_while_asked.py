"""A new version is served without a restart and without a failed request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from tests.app.api.conftest import Publish
from tests.support.wait import until

CROWD = 4


@pytest.mark.slow
def test_a_new_version_is_served_while_everybody_asks(client: TestClient, publish: Publish) -> None:
    publish("gan", "ring8", name="ring")
    with crowd(client) as replies:
        for seed in range(2, 6):
            newest = publish("gan", "ring8", name="ring", seed=seed)
            until(lambda newest=newest: replies and replies[-1][1] == newest)  # type: ignore[misc]
    assert {status for status, *_ in replies} == {200}
    assert {model for _, model, _ in replies} == {f"ring@{version}" for version in range(1, 6)}


def test_one_that_is_withdrawn_gives_way_to_the_one_before(client: TestClient, publish: Publish) -> None:
    publish("gan", "ring8", name="pair")
    later = publish("gan", "ring8", name="pair", seed=2)
    with crowd(client) as replies:
        until(lambda: replies and replies[-1][1] == later)
        assert client.delete(f"/models/{later}").status_code == 204
        until(lambda: replies[-1][1] == "pair@1")
    assert {status for status, *_ in replies} == {200}


@pytest.mark.slow
def test_a_name_follows_its_versions_and_a_pinned_one_stays_as_it_is(client: TestClient, publish: Publish) -> None:
    publish("gan", "ring8", name="followed")
    pinned = "/sample?model=followed@1&n=2&seed=1"
    before = client.get(pinned).content
    with crowd(client, "/sample?model=followed&n=2&seed=1") as following, crowd(client, pinned) as staying:
        for seed in range(2, 5):
            newest = publish("gan", "ring8", name="followed", seed=seed)
            publish("gan", "ring8", name="another", seed=seed)
            until(lambda newest=newest: following and following[-1][1] == newest)  # type: ignore[misc]
    assert {status for status, *_ in (*following, *staying)} == {200}
    assert {(model, made) for _, model, made in staying} == {("followed@1", before)}
    assert len({(model, made) for _, model, made in following}) == 4, "each version has bytes of its own"


@contextmanager
def crowd(client: TestClient, address: str = "/sample?n=2") -> Iterator[list[tuple[int, str | None, bytes]]]:
    """Asks for samples, of the newest model unless told, until the block ends: status, model and bytes of replies."""
    replies: list[tuple[int, str | None, bytes]] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            reply = client.get(address)
            replies.append((reply.status_code, reply.headers.get("x-forger-model"), reply.content))

    threads = [threading.Thread(target=ask) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    try:
        yield replies
    finally:
        ended.set()
        for thread in threads:
            thread.join()
