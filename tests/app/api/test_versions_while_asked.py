"""Versions are published and deleted under load, without a restart and without a failed request."""

import pytest
from starlette.testclient import TestClient

from tests.app.api.conftest import Publish
from tests.support.sampling_load import sampling_clients
from tests.support.wait import until


@pytest.mark.slow
def test_new_version_is_served_under_load_without_a_failed_request(client: TestClient, publish: Publish) -> None:
    publish("gan", "ring8", name="ring")
    with sampling_clients(client) as replies:
        for seed in range(2, 6):
            newest = publish("gan", "ring8", name="ring", seed=seed)
            until(lambda newest=newest: replies and replies[-1][1] == newest)  # type: ignore[misc]
    assert {status for status, *_ in replies} == {200}
    assert {model for _, model, _ in replies} == {f"ring@{version}" for version in range(1, 6)}


def test_deleted_version_is_replaced_by_the_one_before_under_load(client: TestClient, publish: Publish) -> None:
    publish("gan", "ring8", name="pair")
    later = publish("gan", "ring8", name="pair", seed=2)
    with sampling_clients(client) as replies:
        until(lambda: replies and replies[-1][1] == later)
        assert client.delete(f"/models/{later}").status_code == 204
        until(lambda: replies[-1][1] == "pair@1")
    assert {status for status, *_ in replies} == {200}


@pytest.mark.slow
def test_name_follows_its_versions_and_a_pinned_version_never_changes(client: TestClient, publish: Publish) -> None:
    publish("gan", "ring8", name="followed")
    pinned_path = "/sample?model=followed@1&n=2&seed=1"
    before = client.get(pinned_path).content
    with (
        sampling_clients(client, "/sample?model=followed&n=2&seed=1") as by_name,
        sampling_clients(client, pinned_path) as by_version,
    ):
        for seed in range(2, 5):
            newest = publish("gan", "ring8", name="followed", seed=seed)
            publish("gan", "ring8", name="another", seed=seed)
            until(lambda newest=newest: by_name and by_name[-1][1] == newest)  # type: ignore[misc]
    assert {status for status, *_ in (*by_name, *by_version)} == {200}
    assert {(model, content) for _, model, content in by_version} == {("followed@1", before)}
    assert len({(model, content) for _, model, content in by_name}) == 4, "each version has bytes of its own"
