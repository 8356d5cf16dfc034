"""POST /jobs: idempotency keys, dry runs, and starting from another job's weights."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from app.core.ids import new_id
from app.services.jobs import attempts, lifecycle
from models.spec.families import FAMILIES
from tests.support.checkpoints import write_checkpoint
from tests.support.idempotent_requests import post_with_key
from tests.support.jobs import make_job

SMALL = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 9}}


def send(client: TestClient, key: str | None = None, **body: Any) -> httpx.Response:
    return post_with_key(client, "/jobs", SMALL | body, key)


def count_jobs() -> int:
    return len(lifecycle.list_jobs(limit=100)[0])


def test_same_key_and_body_return_the_same_job(client: TestClient) -> None:
    key = new_id("key")
    first, second = send(client, key), send(client, key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    reformatted = client.post(
        "/jobs",
        content='{"budget": {"steps":9}, "dataset":"digits",\n "recipe": "cdcgan", "seed": null}',
        headers={"Idempotency-Key": key, "Content-Type": "application/json"},
    )
    assert reformatted.json()["id"] == first.json()["id"]


def test_concurrent_requests_with_one_key_create_one_job(client: TestClient) -> None:
    n_requests, before = 16, count_jobs()
    barrier = Barrier(n_requests)

    def send_together(key: str) -> httpx.Response:
        barrier.wait()
        return send(client, key)

    for _ in range(3):
        with ThreadPoolExecutor(n_requests) as pool:
            replies = list(pool.map(send_together, [new_id("key")] * n_requests))
        statuses = Counter(reply.status_code for reply in replies)
        assert statuses.keys() <= {201, 409}
        created = [reply for reply in replies if reply.status_code == 201]
        assert len({reply.json()["id"] for reply in created}) == 1
        assert sum("idempotency-replayed" not in reply.headers for reply in created) == 1
        conflicts = [reply for reply in replies if reply.status_code == 409]
        assert all(reply.json()["code"] == "idempotency_in_progress" for reply in conflicts)
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in conflicts)
    assert count_jobs() == before + 3


def test_same_key_with_another_body_is_refused(client: TestClient) -> None:
    key = new_id("key")
    send(client, key)
    refused = send(client, key, seed=5)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")


def test_a_refused_request_frees_its_key(client: TestClient) -> None:
    key = new_id("key")
    assert send(client, key, dataset="ring8").status_code == 422
    assert send(client, key).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel", "tab\tkey"])
def test_key_that_is_empty_too_long_or_not_printable_ascii_is_refused(client: TestClient, key: str) -> None:
    headers = [(b"idempotency-key", key.encode("latin-1"))]
    refused = client.post("/jobs", json=SMALL, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].lower() == "/idempotency-key"


def test_dry_run_shows_the_job_without_creating_it_or_using_its_key(client: TestClient) -> None:
    before, key = count_jobs(), new_id("key")
    reply = send(client, key, dry_run=True, overrides={"generator": {"width": 8}})
    assert reply.status_code == 200, reply.text
    plan = reply.json()
    assert (plan["family"], plan["dataset"], plan["model"]) == ("cdcgan", "digits", "cdcgan-digits")
    assert plan["refusals"] == []
    assert plan["recipe"]["generator"]["width"] == 8
    assert count_jobs() == before
    created = send(client, key, overrides={"generator": {"width": 8}})
    assert created.status_code == 201, "the key was not used up"
    assert created.json()["recipe"] == plan["recipe"]
    assert created.json()["estimate"] == plan["estimate"]


@pytest.mark.parametrize(
    ("family", "parameters"),
    [("dcgan", (3_576_704, 2_765_568)), ("cyclegan", (2 * 11_378_179, 2 * 2_764_737))],
)
def test_dry_run_counts_the_published_parameters_of_a_network(
    client: TestClient, family: str, parameters: tuple[int, int]
) -> None:
    """Use the published sizes: 64 px in colour, and 256 px."""
    data = {"side": 64, "channels": 3} if family == "dcgan" else {"side": 256}
    dataset = FAMILIES[family].default_dataset if family == "cyclegan" else "mnist"
    plan = send(client, recipe=family, dataset=dataset, overrides={"data": data}, dry_run=True).json()
    estimated = plan["estimate"]["parameters"]
    assert (estimated["generator"], estimated["critic"], estimated["features"]) == (*parameters, 0)


def test_a_dry_run_lists_refusals_instead_of_refusing(client: TestClient) -> None:
    reply = send(client, dry_run=True, dataset="ring8", start_from="ckpt_x")
    assert reply.status_code == 200
    assert [refusal["pointer"] for refusal in reply.json()["refusals"]] == ["/overrides/generator"]
    assert reply.json()["recipe"] is None
    unknown = send(client, dry_run=True, start_from="ckpt_x").json()["refusals"]
    assert [refusal["pointer"] for refusal in unknown] == ["/start_from"]
    assert send(client, dry_run=True, wrong=1).status_code == 422, "an invalid request is refused, dry run or not"


def test_job_starts_from_a_checkpoint_of_another_job(client: TestClient) -> None:
    source = make_job()
    assert attempts.claim(source.id, "tests") is not None
    checkpoint = write_checkpoint(source.id, 4)
    job = send(client, start_from=checkpoint.id).json()
    weights = {"job": source.id, "checkpoint": checkpoint.id, "step": 4, "sha256": checkpoint.sha256}
    assert job["spec"]["start_from"] == weights | {"model": None}
    assert job["progress"]["step"] == 0
    assert send(client).json()["spec"]["start_from"] is None
    refused = send(client, start_from=checkpoint.id, overrides={"latent": {"size": 7}})
    assert (refused.status_code, refused.json()["code"]) == (422, "start_refused")
    assert "latent.size is 64 in the checkpoint and 7 here" in refused.json()["detail"]
    assert send(client, start_from="ckpt_x").status_code == 404


def test_budget_is_given_in_epochs_or_in_minutes(client: TestClient) -> None:
    three = send(client, budget={"epochs": 3}).json()
    assert three["recipe"]["budget"] == {"steps": 85, "minutes": None}, "3 x 1797 digits in batches of 64"
    assert three["progress"]["total"] == 85
    timed = send(client, budget={"minutes": 2.5}).json()
    assert timed["recipe"]["budget"]["minutes"] == 2.5
    assert timed["progress"]["total"] is None
    again = client.post("/jobs", json={"recipe": timed["recipe"]})
    assert again.json()["recipe"] == timed["recipe"]
    both = send(client, budget={"epochs": 3, "minutes": 2})
    assert both.json()["errors"] == [
        {"pointer": "/budget", "message": "The budget is given in epochs and in minutes: choose one of them."}
    ]
