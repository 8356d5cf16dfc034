"""POST /jobs with `resources`: the number of devices in the reply, and its limits."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services.jobs import lifecycle

SMALL: dict[str, Any] = {"recipe": "dcgan", "dataset": "digits", "budget": {"steps": 9}}


MAX_DEVICES = 4


@pytest.fixture(autouse=True)
def several_devices(client: TestClient) -> Iterator[None]:
    """Allow several devices on a machine with one core too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGER_MAX_DEVICES", str(MAX_DEVICES))
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


def test_job_shows_its_number_of_devices(client: TestClient) -> None:
    assert client.post("/jobs", json=SMALL).json()["spec"]["devices"] == 1
    created = client.post("/jobs", json={**SMALL, "resources": {"devices": 2}})
    assert created.status_code == 201, created.text
    assert created.json()["spec"]["devices"] == 2
    assert client.get(created.headers["location"]).json()["spec"]["devices"] == 2
    assert "resources" not in created.json()["recipe"], "a recipe is the mathematics"


def test_invalid_devices_are_refused_with_a_pointer_and_advice(client: TestClient) -> None:
    before = len(lifecycle.list_jobs(limit=100)[0])
    packing = {**SMALL, "recipe": "pacgan", "overrides": {"game": {"packing": 4}, "batch_size": 4}}
    for body, devices, pointer, advice in (
        (SMALL, MAX_DEVICES + 1, "/resources/devices", "max_devices"),
        (SMALL, 0, "/resources/devices", "a whole number of 1 or more"),
        ({**SMALL, "overrides": {"batch_size": 9}}, 2, "/resources/devices", "make batch_size a multiple of 2"),
        (packing, 2, "/resources/devices", "a multiple of 8 (4 are judged at a time)"),
        ({**SMALL, "budget": {"minutes": 1}}, 2, "/budget", "in steps or epochs"),
    ):
        request = {**body, "resources": {"devices": devices}}
        refused = client.post("/jobs", json=request)
        assert refused.status_code == 422, refused.text
        (error,) = refused.json()["errors"]
        assert error["pointer"] == pointer
        assert advice in error["message"]
        if devices:
            (refusal,) = client.post("/jobs", json={**request, "dry_run": True}).json()["refusals"]
            assert refusal == error
    assert len(lifecycle.list_jobs(limit=100)[0]) == before
