"""POST /jobs with resources: what is answered, and where the refusals begin."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.services.jobs import lifecycle

SMALL: dict[str, Any] = {"recipe": "dcgan", "dataset": "digits", "budget": {"steps": 9}}


@pytest.fixture
def most(client: TestClient) -> int:
    named = {limit["name"]: limit["value"] for limit in client.get("/limits").json()["data"]}
    return int(named["max_devices"])


def test_a_job_answers_what_it_computes_on(client: TestClient) -> None:
    assert client.post("/jobs", json=SMALL).json()["spec"]["devices"] == 1
    made = client.post("/jobs", json={**SMALL, "resources": {"devices": 2}})
    assert made.status_code == 201, made.text
    assert made.json()["spec"]["devices"] == 2
    assert client.get(made.headers["location"]).json()["spec"]["devices"] == 2
    assert "resources" not in made.json()["recipe"], "a recipe is the mathematics"


def test_refusals_point_and_say_what_to_change_and_leave_nothing(client: TestClient, most: int) -> None:
    before = len(lifecycle.list_jobs(limit=100)[0])
    packs = {**SMALL, "recipe": "pacgan", "overrides": {"game": {"packing": 4}, "batch_size": 4}}
    for body, devices, pointer, said in (
        (SMALL, most + 1, "/resources/devices", "max_devices"),
        (SMALL, 0, "/resources/devices", "a whole number of 1 or more"),
        ({**SMALL, "overrides": {"batch_size": 9}}, 2, "/resources/devices", "make batch_size a multiple of 2"),
        (packs, 2, "/resources/devices", "a multiple of 8 (4 are judged at a time)"),
        ({**SMALL, "budget": {"minutes": 1}}, 2, "/budget", "in steps or epochs"),
    ):
        asked = {**body, "resources": {"devices": devices}}
        refused = client.post("/jobs", json=asked)
        assert refused.status_code == 422, refused.text
        (error,) = refused.json()["errors"]
        assert error["pointer"] == pointer
        assert said in error["message"]
        if devices:
            (dry,) = client.post("/jobs", json={**asked, "dry_run": True}).json()["refusals"]
            assert dry == error
    assert len(lifecycle.list_jobs(limit=100)[0]) == before
