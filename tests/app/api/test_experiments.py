"""/experiments: one request creates many jobs; their results come as JSON, CSV, Parquet or a picture."""

import csv
import io
import json
from typing import Any

import httpx2 as httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.core.ids import new_id
from app.core.limits import MAX_EXPERIMENT_JOBS
from app.services.experiments import lifecycle as experiments
from app.services.jobs import lifecycle
from tests.support.experiments import RING, make_experiment, succeed
from tests.support.idempotent_requests import post_with_key
from tests.support.parquet import columns
from tests.support.problems import assert_problem

TWO_CASES: dict[str, Any] = {
    "name": "two",
    **RING,
    "cases": [{"name": "plain"}, {"name": "hinge", "overrides": {"objective": {"kind": "hinge"}}}],
    "seeds": [1, 2],
}


def send(client: TestClient, key: str | None = None, **changes: Any) -> httpx.Response:
    return post_with_key(client, "/experiments", TWO_CASES | changes, key)


def count_experiments() -> int:
    return len(experiments.page(100, None)[0])


@pytest.fixture(scope="module")
def measured(client: TestClient) -> str:
    """Return the id of an experiment whose first case has succeeded twice, and its second once."""
    experiment = make_experiment(**TWO_CASES)
    for job, figures in zip(
        experiment.jobs,
        ({"transport": 0.5, "modes": 6}, {"transport": 0.25, "modes": 8}, {"transport": 0.75, "modes": 7}),
        strict=False,
    ):
        succeed(job.id, figures)
    return experiment.id


def test_created_experiment_can_be_read_and_listed(client: TestClient) -> None:
    reply = send(client)
    assert reply.status_code == 201, reply.text
    experiment = reply.json()
    assert reply.headers["location"] == f"/experiments/{experiment['id']}" == experiment["links"]["self"]
    assert (experiment["states"], experiment["cases"], experiment["figures"]) == ({"queued": 4}, ["plain", "hinge"], [])
    assert experiment["request"] == TWO_CASES
    assert client.get(experiment["links"]["self"]).json() == experiment
    job = client.get(experiment["jobs"][0]["href"]).json()
    assert (job["experiment"], job["case"]["name"], job["model"]) == (experiment["id"], "plain", "two-plain")
    listed = client.get("/experiments?limit=1").json()["data"]
    assert [one["id"] for one in listed] == [experiment["id"]]


def test_idempotency_key_creates_one_experiment(client: TestClient) -> None:
    key, before = new_id("key"), count_experiments()
    first, second = send(client, key), send(client, key)
    assert (first.json()["id"], count_experiments()) == (second.json()["id"], before + 1)
    assert second.headers["idempotency-replayed"] == "true"
    assert send(client, key, seeds=1).json()["code"] == "idempotency_mismatch"
    job = client.post("/jobs", json=RING, headers={"Idempotency-Key": key})
    assert job.json()["code"] == "idempotency_mismatch"


def test_refused_request_creates_nothing_and_frees_its_key(client: TestClient) -> None:
    key, before = new_id("key"), (count_experiments(), len(lifecycle.list_jobs(limit=100)[0]))
    refused = send(
        client, key, cases=[{"name": "a"}, {"name": "b", "overrides": {"objective": {"kind": "wasserstein"}}}]
    )
    assert_problem(refused, 422)
    assert (refused.json()["code"], [error["pointer"] for error in refused.json()["errors"]]) == (
        "experiment_refused",
        ["/cases/1/overrides/objective"],
    )
    assert (count_experiments(), len(lifecycle.list_jobs(limit=100)[0])) == before
    assert send(client, key, seeds=1).status_code == 201


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"seeds": MAX_EXPERIMENT_JOBS}, "/seeds"),
        ({"seeds": 0}, "/seeds"),
        ({"seeds": []}, "/seeds"),
        ({"seeds": [1, 1]}, "/seeds/1"),
        ({"seeds": [2**63]}, "/seeds/0"),
        ({"cases": []}, "/cases"),
        ({"cases": [{"name": "Not A Name"}]}, "/cases/0/name"),
        ({"cases": None, "grid": {"/batch_size": []}}, "/grid/~1batch_size"),
        ({"surplus": 1}, "/surplus"),
        ({"grid": {"/batch_size": [1]}}, "/grid"),
    ],
)
def test_invalid_request_is_refused_with_a_pointer(client: TestClient, changes: dict[str, Any], pointer: str) -> None:
    reply = send(client, **changes)
    assert_problem(reply, 422)
    assert pointer in [error["pointer"] for error in reply.json()["errors"]]


def test_dry_run_lists_the_jobs_and_creates_none(client: TestClient) -> None:
    before = count_experiments()
    plan = send(client, dry_run=True)
    assert plan.status_code == 200
    assert (plan.json()["count"], plan.json()["refusals"]) == (4, [])
    assert plan.json()["jobs"][1] == {
        "case": "hinge", "seed": 1, "family": "gan", "dataset": "ring8", "model": "two-hinge",
    }  # fmt: skip
    refused = send(client, dry_run=True, dataset="nope").json()
    assert ([one["pointer"] for one in refused["refusals"]], refused["jobs"]) == (["/dataset"], [])
    assert count_experiments() == before


def test_figures_of_an_experiment_come_as_json_csv_parquet_or_png(client: TestClient, measured: str) -> None:
    url = f"/experiments/{measured}"
    transport = next(one for one in client.get(url).json()["figures"] if one["name"] == "transport")
    assert transport["cases"] == [
        {
            "case": "plain",
            "mean": 0.625,
            "deviation": pytest.approx(0.1767767),
            "interval": pytest.approx([0.625 - 1.588276, 0.625 + 1.588276]),
            "n": 2,
            "best": False,
        },
        {"case": "hinge", "mean": 0.25, "deviation": None, "interval": None, "n": 1, "best": True},
    ]
    csv_reply = client.get(url, params={"format": "csv"})
    assert csv_reply.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(csv_reply.text)))
    assert [(line["case"], line["figure"], line["mean"], line["n"], line["best"]) for line in lines] == [
        ("plain", "modes", "6.5", "2", ""),
        ("plain", "transport", "0.625", "2", ""),
        ("hinge", "modes", "8.0", "1", "yes"),
        ("hinge", "transport", "0.25", "1", "yes"),
    ]
    assert json.loads(lines[0]["provenance"]) == transport["provenance"]
    parquet_reply = client.get(url, headers={"Accept": "application/vnd.apache.parquet"})
    assert parquet_reply.headers["content-type"] == "application/vnd.apache.parquet"
    table = columns(parquet_reply.content)
    assert list(table) == list(lines[0])
    assert (table["mean"], table["n"]) == ([6.5, 0.625, 8.0, 0.25], [2, 2, 1, 1])
    assert table["interval_low"] == [pytest.approx(6.5 - 6.3531024), pytest.approx(0.625 - 1.588276), None, None]
    assert table["best"] == [False, False, True, True]
    png_reply = client.get(url, headers={"Accept": "image/png"})
    assert png_reply.headers["content-type"] == "image/png"
    assert png_reply.headers["vary"] == "Accept"
    assert Image.open(io.BytesIO(png_reply.content)).width > 300
    assert client.get(url, headers={"Accept": "text/csv"}).content == csv_reply.content
    assert_problem(client.get(url, headers={"Accept": "audio/ogg"}), 406)
    assert_problem(client.get(url, params={"format": "xls"}), 422)


def test_figures_of_each_job_come_as_json_csv_or_parquet(client: TestClient, measured: str) -> None:
    url = f"/experiments/{measured}/jobs"
    jobs = client.get(url).json()["data"]
    figures = [
        (job["case"], job["seed"], one["name"], one["value"], one["source"] == job["id"])
        for job in jobs
        for one in job["figures"]
    ]
    assert ("plain", 1, "transport", 0.5, True) in figures
    assert len(jobs) == 4
    table = columns(client.get(url, params={"format": "parquet"}).content)
    by_column = zip(table["case"], table["seed"], table["figure"], table["value"], strict=True)
    assert [line for line in by_column if line[2] is not None] == [line[:4] for line in figures]
    assert table["figure"].count(None) == sum(not job["figures"] for job in jobs)
    lines = list(csv.DictReader(io.StringIO(client.get(url, headers={"Accept": "text/csv"}).text)))
    assert [line["job"] for line in lines] == table["job"]
    assert [json.loads(line["provenance"])["by"] for line in lines if line["figure"]] == ["watch"] * len(figures)
    assert_problem(client.get(url, headers={"Accept": "image/png"}), 406)
    assert_problem(client.get("/experiments/exp_none/jobs"), 404)


def test_experiment_can_be_deleted_only_after_it_is_cancelled(client: TestClient) -> None:
    url = send(client).headers["location"]
    assert_problem(client.delete(url), 409)
    assert client.post(f"{url}/cancel").json()["states"] == {"cancelled": 4}
    assert client.delete(url).status_code == 204
    for reply in (client.get(url), client.delete(url), client.post(f"{url}/cancel")):
        assert_problem(reply, 404)
        assert reply.json()["code"] == "experiment_not_found"


def test_experiments_are_listed_in_pages(client: TestClient) -> None:
    for _ in range(3):
        send(client, seeds=1)
    first = client.get("/experiments?limit=2").json()
    second = client.get("/experiments", params={"limit": 2, "after": first["next_cursor"]}).json()
    assert first["has_more"]
    assert not {one["id"] for one in first["data"]} & {one["id"] for one in second["data"]}
