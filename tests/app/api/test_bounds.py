"""What a training would take is told, and refused where it is too much, before anything is built."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services.jobs import lifecycle

WIDE: dict[str, Any] = {
    "recipe": "dcgan",
    "dataset": "digits",
    "overrides": {
        "data": {"side": 512},
        "latent": {"size": 4096},
        "generator": {"width": 1024},
        "critic": {"width": 1024},
    },
}
"""95.9 billion weights"""
LARGE: dict[str, Any] = {
    "recipe": "dcgan",
    "dataset": "digits",
    "overrides": {"data": {"side": 512}, "generator": {"width": 8}, "critic": {"width": 8}, "batch_size": 64},
}
"""a short request whose step needs gigabytes"""
SMALL: dict[str, Any] = {"recipe": "gan", "dataset": "ring8"}


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("FORGER_MAX_MEMORY_BYTES", str(4 << 30))
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def limit(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    monkeypatch.setenv(f"FORGER_{name.upper()}", str(value))
    get_settings.cache_clear()


def refused(client: TestClient, body: dict[str, Any]) -> dict[str, list[str]]:
    """The messages by pointer: of the request, and the same of its dry run. Nothing is left."""
    before = lifecycle.list_jobs()[0]
    reply, planned = client.post("/jobs", json=body), client.post("/jobs", json=body | {"dry_run": True})
    assert (reply.status_code, reply.json()["code"]) == (422, "limit_exceeded")
    assert (planned.status_code, planned.json()["estimate"]) == (200, None)
    assert planned.json()["refusals"] == reply.json()["errors"]
    assert lifecycle.list_jobs()[0] == before
    found: dict[str, list[str]] = {}
    for error in reply.json()["errors"]:
        found.setdefault(error["pointer"], []).append(error["message"])
    return found


def test_ninety_six_billion_weights_are_refused(client: TestClient) -> None:
    weights, memory, disk = refused(client, WIDE)["/overrides"]
    assert "95,900,166,144 weights" in weights
    assert "1,000,000,000 (max_parameters)" in weights
    assert "(max_memory_bytes)" in memory
    assert "(max_job_bytes)" in disk


def test_a_short_request_gets_no_gigabytes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(json.dumps(LARGE)) < 250
    assert "4,294,967,296 (max_memory_bytes)" in refused(client, LARGE)["/overrides"][0]
    limit(monkeypatch, "max_memory_bytes", 8 << 30)
    planned = client.post("/jobs", json=LARGE | {"dry_run": True}).json()
    assert 5 << 30 < planned["estimate"]["memory_bytes"] < 8 << 30


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"budget": {"steps": 10_000_001}}, "/budget/steps"),
        ({"overrides": {"budget": {"steps": 10_000_001}}}, "/overrides/budget/steps"),
    ],
)
def test_more_than_ten_million_steps_are_refused(client: TestClient, body: dict[str, Any], pointer: str) -> None:
    assert refused(client, SMALL | body) == {
        pointer: ["10,000,001 steps are more than 10,000,000 (max_steps): train fewer."]
    }
    assert client.post("/jobs", json=SMALL | {"budget": {"steps": 10_000_000}}).status_code == 201
    assert client.post("/jobs", json=SMALL | {"budget": {"minutes": 1}}).status_code == 201, "steps are not known yet"


def test_a_recipe_sent_whole_is_pointed_at(client: TestClient) -> None:
    whole = client.post("/jobs", json=SMALL | {"dry_run": True}).json()["recipe"]
    assert [*refused(client, {"recipe": whole | {"budget": {"steps": 20_000_000}}})] == ["/recipe/budget/steps"]


def test_reports_of_every_step_are_too_many_bytes(client: TestClient) -> None:
    often = SMALL | {"budget": {"steps": 10_000_000}, "overrides": {"report_every": 1}}
    with pytest.MonkeyPatch.context() as patch:
        limit(patch, "max_job_bytes", 10**9)
        assert "1,000,000,000 (max_job_bytes)" in refused(client, often)["/overrides"][0]
    get_settings.cache_clear()


def test_an_experiment_is_refused_as_its_jobs_are(client: TestClient) -> None:
    reply = client.post("/experiments", json=WIDE | {"seeds": 2})
    assert (reply.status_code, reply.json()["code"]) == (422, "experiment_refused")
    assert "(max_parameters)" in reply.json()["errors"][0]["message"]


def test_what_a_job_takes_stands_on_it(client: TestClient) -> None:
    made = client.post("/jobs", json=SMALL).json()
    told = client.get(f"/jobs/{made['id']}").json()["estimate"]
    assert told == made["estimate"]
    assert told["parameters"]["generator"] > 0
    assert told["memory_bytes"] > 300 << 20
    assert told["disk_bytes"] > 0


def test_a_full_queue_says_when_to_ask_again(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.post("/jobs", json=SMALL)
    limit(monkeypatch, "max_queued_jobs", 1)
    reply = client.post("/jobs", json=SMALL)
    assert (reply.status_code, reply.json()["code"], reply.headers["retry-after"]) == (429, "queue_full", "60")


def test_full_storage_refuses_an_upload_before_it_is_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.post("/jobs", json=SMALL)
    limit(monkeypatch, "max_stored_bytes", 1)
    reply = client.post("/datasets", files={"file": ("x.zip", b"no zip")}, data={"name": "pets"})
    assert (reply.status_code, reply.json()["code"]) == (507, "storage_full")
    assert client.post("/jobs", json=SMALL).status_code == 507
