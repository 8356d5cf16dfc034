"""POST /jobs of the kinds generate and translate: bodies, refusals, idempotency keys, dry runs."""

from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from app.core.ids import new_id
from app.services.jobs import lifecycle
from tests.app.api.conftest import Publish
from tests.support.idempotent_requests import post_with_key

GENERATE = {"kind": "generate", "n": 50}
TRANSLATE = {"kind": "translate", "dataset": "digits"}


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish("pix2pix")
    publish("dcgan")
    publish()


def send(client: TestClient, body: dict[str, Any], key: str | None = None, **more: Any) -> httpx.Response:
    return post_with_key(client, "/jobs", body | more, key)


def test_created_generation_replies_with_its_whole_spec(client: TestClient) -> None:
    reply = send(client, GENERATE, seed=7, temperature=1)
    assert reply.status_code == 201, reply.text
    job = reply.json()
    assert (job["kind"], job["state"], job["dataset"], job["model"]) == (
        "generate",
        "queued",
        "digits",
        "cdcgan-digits",
    )
    settings = {"n": 50, "classes": None, "seed": 7, "temperature": 1.0, "format": "zip", "shard": 10_000}
    weights = job["spec"]["weights"]
    assert job["spec"] == settings | {"kind": "generate", "weights": weights}
    assert (weights["model"], weights["step"]) == ("cdcgan-digits@1", 3)
    assert job["progress"] == {"step": 0, "total": 50, "eta_s": None}
    listed = client.get("/jobs?kind=generate").json()["data"]
    assert job["id"] in [one["id"] for one in listed]


def test_truncation_of_a_generation_is_part_of_its_spec(client: TestClient) -> None:
    assert send(client, GENERATE, truncation=0.5).json()["spec"]["truncation"] == 0.5


def test_created_translation_replies_with_its_whole_spec(client: TestClient) -> None:
    job = send(client, TRANSLATE).json()
    settings = {"dataset": "digits", "direction": "a2b", "format": "zip", "shard": 10_000, "files": None, "input": None}
    weights = job["spec"]["weights"]
    assert job["spec"] == settings | {"kind": "translate", "weights": weights}
    assert (weights["model"], weights["step"]) == ("pix2pix-digits@1", 3)
    assert job["progress"]["total"] is None


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"kind": "generate"}, ["/n"]),
        ({**GENERATE, "classes": {"7": 5}}, ["/n"]),
        ({**GENERATE, "n": 0}, ["/n"]),
        ({**GENERATE, "n": "50"}, ["/n"]),
        ({**GENERATE, "n": 10_000_001}, ["/n"]),
        ({**GENERATE, "n": 10**400}, ["/n"]),
        ({"kind": "generate", "classes": {}}, ["/classes"]),
        ({"kind": "generate", "classes": {"7": 0}}, ["/classes/7"]),
        ({"kind": "generate", "classes": {"seven": 1}}, ["/classes/seven"]),
        ({"kind": "generate", "classes": {"7": 1}, "model": "dcgan-digits"}, ["/classes"]),
        ({**GENERATE, "model": "pix2pix-digits"}, ["/model"]),
        ({**GENERATE, "model": "../x"}, ["/model"]),
        ({**GENERATE, "temperature": 0}, ["/temperature"]),
        ({**GENERATE, "truncation": 0.01}, ["/truncation"]),
        ({**GENERATE, "truncation": 11}, ["/truncation"]),
        ({**GENERATE, "truncation": "1"}, ["/truncation"]),
        ({**GENERATE, "format": "tar"}, ["/format"]),
        ({**GENERATE, "shard": 0}, ["/shard"]),
        ({**GENERATE, "shard": 100_001}, ["/shard"]),
        ({**GENERATE, "n": 1001, "shard": 1}, ["/shard"]),
        ({**GENERATE, "seed": -1}, ["/seed"]),
        ({**GENERATE, "recipe": "cdcgan"}, ["/recipe"]),
        ({"kind": "translate"}, ["/dataset"]),
        ({**TRANSLATE, "dataset": "ring8"}, ["/dataset"]),
        ({**TRANSLATE, "model": "pix2pix-digits", "direction": "b2a"}, ["/direction"]),
        ({**TRANSLATE, "direction": "up"}, ["/direction"]),
        ({**TRANSLATE, "model": "cdcgan-digits"}, ["/model"]),
        ({**TRANSLATE, "n": 5}, ["/n"]),
    ],
)
def test_invalid_body_is_refused_with_a_pointer_and_creates_no_job(
    client: TestClient, body: dict[str, Any], pointers: list[str]
) -> None:
    before = [job.id for job in lifecycle.list_jobs(limit=100)[0]]
    refused = client.post("/jobs", json=body)
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == pointers
    assert [job.id for job in lifecycle.list_jobs(limit=100)[0]] == before


@pytest.mark.slow
def test_number_over_a_limit_is_refused_with_the_name_of_the_limit(client: TestClient) -> None:
    limits = {limit["name"]: limit["value"] for limit in client.get("/limits").json()["data"]}
    assert "(generated)" in send(client, GENERATE, n=limits["generated"] + 1, shard=limits["shard"]).json()["detail"]
    assert "(shards)" in send(client, GENERATE, n=limits["shards"] + 1, shard=1).json()["detail"]
    assert send(client, GENERATE, n=limits["generated"], shard=limits["shard"], dry_run=True).json()["refusals"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**GENERATE, "model": "nobody"}, 404, "no_model"),
        ({**TRANSLATE, "dataset": "nothing"}, 404, "no_dataset"),
        ({**TRANSLATE, "model": "wgan-digits"}, 409, "still_training"),
    ],
)
def test_missing_model_or_dataset_replies_404_and_a_model_in_training_409(
    client: TestClient, body: dict[str, Any], status: int, code: str
) -> None:
    client.post("/jobs", json={"recipe": "wgan", "dataset": "digits"})
    reply = client.post("/jobs", json=body)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_dry_run_replies_with_the_plan_and_creates_no_job(client: TestClient) -> None:
    before = len(lifecycle.list_jobs(limit=100)[0])
    plan = send(client, TRANSLATE, dataset="day2night", dry_run=True)
    assert plan.status_code == 200, plan.text
    body = plan.json()
    assert (body["kind"], body["dataset"], body["model"]) == ("translate", "day2night", "pix2pix-digits")
    assert (body["spec"]["weights"]["model"], body["recipe"]["data"]["dataset"]) == ("pix2pix-digits@1", "digits")
    refused = send(client, GENERATE, model="pix2pix-digits", dry_run=True).json()["refusals"]
    assert [refusal["pointer"] for refusal in refused] == ["/model"]
    assert len(lifecycle.list_jobs(limit=100)[0]) == before


def test_idempotency_key_creates_one_job(client: TestClient) -> None:
    key = new_id("key")
    first, second = send(client, GENERATE, key), send(client, GENERATE, key)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    assert send(client, GENERATE, key, seed=9).json()["code"] == "idempotency_mismatch"
