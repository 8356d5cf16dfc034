"""Estimates of what a training needs: jobs show them, and requests over a limit are refused early."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services.jobs import lifecycle

HUGE: dict[str, Any] = {
    "recipe": "dcgan",
    "dataset": "digits",
    "overrides": {
        "data": {"side": 512},
        "latent": {"size": 4096},
        "generator": {"width": 1024},
        "critic": {"width": 1024},
    },
}
"""a network of 95.9 billion weights"""
LARGE: dict[str, Any] = {
    "recipe": "dcgan",
    "dataset": "digits",
    "overrides": {"data": {"side": 512}, "generator": {"width": 8}, "critic": {"width": 8}, "batch_size": 64},
}
"""a short request whose step needs gigabytes"""
SMALL: dict[str, Any] = {"recipe": "gan", "dataset": "ring8"}


@pytest.fixture(autouse=True)
def _memory_limit(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("FORGER_MAX_MEMORY_BYTES", str(4 << 30))
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def limit(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    monkeypatch.setenv(f"FORGER_{name.upper()}", str(value))
    get_settings.cache_clear()


def refusal_messages(client: TestClient, body: dict[str, Any]) -> dict[str, list[str]]:
    """Return the messages of the refusal by pointer; check that a dry run says the same and no job is created."""
    before = lifecycle.list_jobs()[0]
    reply, plan = client.post("/jobs", json=body), client.post("/jobs", json=body | {"dry_run": True})
    assert (reply.status_code, reply.json()["code"]) == (422, "limit_exceeded")
    assert (plan.status_code, plan.json()["estimate"]) == (200, None)
    assert plan.json()["refusals"] == reply.json()["errors"]
    assert lifecycle.list_jobs()[0] == before
    messages: dict[str, list[str]] = {}
    for error in reply.json()["errors"]:
        messages.setdefault(error["pointer"], []).append(error["message"])
    return messages


def test_huge_network_is_refused_by_the_limits_on_weights_memory_and_disk(client: TestClient) -> None:
    weights, memory, disk = refusal_messages(client, HUGE)["/overrides"]
    assert "95,900,166,144 weights" in weights
    assert "1,000,000,000 (max_parameters)" in weights
    assert "(max_memory_bytes)" in memory
    assert "(max_job_bytes)" in disk


def test_short_request_that_needs_more_memory_than_the_limit_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(json.dumps(LARGE)) < 250
    assert "4,294,967,296 (max_memory_bytes)" in refusal_messages(client, LARGE)["/overrides"][0]
    limit(monkeypatch, "max_memory_bytes", 8 << 30)
    plan = client.post("/jobs", json=LARGE | {"dry_run": True}).json()
    assert 5 << 30 < plan["estimate"]["memory_bytes"] < 8 << 30


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"budget": {"steps": 10_000_001}}, "/budget/steps"),
        ({"overrides": {"budget": {"steps": 10_000_001}}}, "/overrides/budget/steps"),
    ],
)
def test_more_than_ten_million_steps_are_refused(client: TestClient, body: dict[str, Any], pointer: str) -> None:
    assert refusal_messages(client, SMALL | body) == {
        pointer: ["10,000,001 steps are more than 10,000,000 (max_steps): train fewer."]
    }
    assert client.post("/jobs", json=SMALL | {"budget": {"steps": 10_000_000}}).status_code == 201
    assert client.post("/jobs", json=SMALL | {"budget": {"minutes": 1}}).status_code == 201, "steps are not known yet"


def test_refusal_of_a_whole_recipe_points_into_the_recipe(client: TestClient) -> None:
    whole = client.post("/jobs", json=SMALL | {"dry_run": True}).json()["recipe"]
    assert [*refusal_messages(client, {"recipe": whole | {"budget": {"steps": 20_000_000}}})] == [
        "/recipe/budget/steps"
    ]


def test_job_whose_reports_exceed_max_job_bytes_is_refused(client: TestClient) -> None:
    body = SMALL | {"budget": {"steps": 10_000_000}, "overrides": {"report_every": 1}}
    with pytest.MonkeyPatch.context() as patch:
        limit(patch, "max_job_bytes", 10**9)
        assert "1,000,000,000 (max_job_bytes)" in refusal_messages(client, body)["/overrides"][0]
    get_settings.cache_clear()


def test_experiment_whose_jobs_exceed_a_limit_is_refused(client: TestClient) -> None:
    reply = client.post("/experiments", json=HUGE | {"seeds": 2})
    assert (reply.status_code, reply.json()["code"]) == (422, "experiment_refused")
    assert "(max_parameters)" in reply.json()["errors"][0]["message"]


def test_job_shows_the_estimate_it_was_created_with(client: TestClient) -> None:
    job = client.post("/jobs", json=SMALL).json()
    estimate = client.get(f"/jobs/{job['id']}").json()["estimate"]
    assert estimate == job["estimate"]
    assert estimate["parameters"]["generator"] > 0
    assert estimate["memory_bytes"] > 300 << 20
    assert estimate["disk_bytes"] > 0


def test_full_queue_replies_429_with_retry_after(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
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
