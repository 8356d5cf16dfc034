"""/experiments: one request makes many jobs once; their table as JSON, CSV and a picture."""

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
from tests.app.api.test_problems import a_problem
from tests.support.experiments import RING, make_experiment, succeed
from tests.support.parquet import columns

TWO: dict[str, Any] = {
    "name": "two",
    **RING,
    "cases": [{"name": "plain"}, {"name": "hinge", "overrides": {"objective": {"kind": "hinge"}}}],
    "seeds": [1, 2],
}


def send(client: TestClient, key: str | None = None, **changes: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    reply: httpx.Response = client.post("/experiments", json=TWO | changes, headers=headers)
    return reply


def count() -> int:
    return len(experiments.page(100, None)[0])


@pytest.fixture(scope="module")
def measured(client: TestClient) -> str:
    """An experiment whose first case has succeeded twice, and the second once."""
    made = make_experiment(**TWO)
    for job, figures in zip(
        made.jobs,
        ({"transport": 0.5, "modes": 6}, {"transport": 0.25, "modes": 8}, {"transport": 0.75, "modes": 7}),
        strict=False,
    ):
        succeed(job.id, figures)
    return made.id


def test_an_experiment_is_made_and_read(client: TestClient) -> None:
    reply = send(client)
    assert reply.status_code == 201, reply.text
    made = reply.json()
    assert reply.headers["location"] == f"/experiments/{made['id']}" == made["links"]["self"]
    assert (made["states"], made["cases"], made["figures"]) == ({"queued": 4}, ["plain", "hinge"], [])
    assert made["request"] == TWO
    assert client.get(made["links"]["self"]).json() == made
    first = client.get(made["jobs"][0]["href"]).json()
    assert (first["experiment"], first["case"]["name"], first["model"]) == (made["id"], "plain", "two-plain")
    listed = client.get("/experiments?limit=1").json()["data"]
    assert [one["id"] for one in listed] == [made["id"]]


def test_a_key_makes_one(client: TestClient) -> None:
    key, before = new_id("key"), count()
    first, second = send(client, key), send(client, key)
    assert (first.json()["id"], count()) == (second.json()["id"], before + 1)
    assert second.headers["idempotency-replayed"] == "true"
    assert send(client, key, seeds=1).json()["code"] == "idempotency_mismatch"
    job = client.post("/jobs", json=RING, headers={"Idempotency-Key": key})
    assert job.json()["code"] == "idempotency_mismatch"


def test_a_refused_request_makes_nothing_and_frees_its_key(client: TestClient) -> None:
    key, before = new_id("key"), (count(), len(lifecycle.list_jobs(limit=100)[0]))
    bad = send(client, key, cases=[{"name": "a"}, {"name": "b", "overrides": {"objective": {"kind": "wasserstein"}}}])
    a_problem(bad, 422)
    assert (bad.json()["code"], [error["pointer"] for error in bad.json()["errors"]]) == (
        "experiment_refused",
        ["/cases/1/overrides/objective"],
    )
    assert (count(), len(lifecycle.list_jobs(limit=100)[0])) == before
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
def test_what_is_wrong_is_pointed_at(client: TestClient, changes: dict[str, Any], pointer: str) -> None:
    reply = send(client, **changes)
    a_problem(reply, 422)
    assert pointer in [error["pointer"] for error in reply.json()["errors"]]


def test_a_dry_run_answers_the_jobs_and_makes_none(client: TestClient) -> None:
    before = count()
    plan = send(client, dry_run=True)
    assert plan.status_code == 200
    assert (plan.json()["count"], plan.json()["refusals"]) == (4, [])
    assert plan.json()["jobs"][1] == {
        "case": "hinge", "seed": 1, "family": "gan", "dataset": "ring8", "model": "two-hinge",
    }  # fmt: skip
    refused = send(client, dry_run=True, dataset="nope").json()
    assert ([one["pointer"] for one in refused["refusals"]], refused["jobs"]) == (["/dataset"], [])
    assert count() == before


def test_the_table_is_json_csv_or_a_picture(client: TestClient, measured: str) -> None:
    own = f"/experiments/{measured}"
    transport = next(one for one in client.get(own).json()["figures"] if one["name"] == "transport")
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
    table = client.get(own, params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(table.text)))
    assert [(line["case"], line["figure"], line["mean"], line["n"], line["best"]) for line in lines] == [
        ("plain", "modes", "6.5", "2", ""),
        ("plain", "transport", "0.625", "2", ""),
        ("hinge", "modes", "8.0", "1", "yes"),
        ("hinge", "transport", "0.25", "1", "yes"),
    ]
    assert json.loads(lines[0]["provenance"]) == transport["provenance"]
    packed = client.get(own, headers={"Accept": "application/vnd.apache.parquet"})
    assert packed.headers["content-type"] == "application/vnd.apache.parquet"
    read = columns(packed.content)
    assert list(read) == list(lines[0])
    assert (read["mean"], read["n"]) == ([6.5, 0.625, 8.0, 0.25], [2, 2, 1, 1])
    assert read["interval_low"] == [pytest.approx(6.5 - 6.3531024), pytest.approx(0.625 - 1.588276), None, None]
    assert read["best"] == [False, False, True, True]
    drawn = client.get(own, headers={"Accept": "image/png"})
    assert drawn.headers["content-type"] == "image/png"
    assert drawn.headers["vary"] == "Accept"
    assert Image.open(io.BytesIO(drawn.content)).width > 300
    assert client.get(own, headers={"Accept": "text/csv"}).content == table.content
    a_problem(client.get(own, headers={"Accept": "audio/ogg"}), 406)
    a_problem(client.get(own, params={"format": "xls"}), 422)


def test_the_jobs_have_their_own_figures_as_json_csv_and_parquet(client: TestClient, measured: str) -> None:
    own = f"/experiments/{measured}/jobs"
    jobs = client.get(own).json()["data"]
    told = [
        (job["case"], job["seed"], one["name"], one["value"], one["source"] == job["id"])
        for job in jobs
        for one in job["figures"]
    ]
    assert ("plain", 1, "transport", 0.5, True) in told
    assert len(jobs) == 4
    read = columns(client.get(own, params={"format": "parquet"}).content)
    by_column = zip(read["case"], read["seed"], read["figure"], read["value"], strict=True)
    assert [line for line in by_column if line[2] is not None] == [line[:4] for line in told]
    assert read["figure"].count(None) == sum(not job["figures"] for job in jobs)
    lines = list(csv.DictReader(io.StringIO(client.get(own, headers={"Accept": "text/csv"}).text)))
    assert [line["job"] for line in lines] == read["job"]
    assert [json.loads(line["provenance"])["by"] for line in lines if line["figure"]] == ["watch"] * len(told)
    a_problem(client.get(own, headers={"Accept": "image/png"}), 406)
    a_problem(client.get("/experiments/exp_none/jobs"), 404)


def test_cancel_and_delete(client: TestClient) -> None:
    own = send(client).headers["location"]
    a_problem(client.delete(own), 409)
    assert client.post(f"{own}/cancel").json()["states"] == {"cancelled": 4}
    assert client.delete(own).status_code == 204
    for reply in (client.get(own), client.delete(own), client.post(f"{own}/cancel")):
        a_problem(reply, 404)
        assert reply.json()["code"] == "experiment_not_found"


def test_pages(client: TestClient) -> None:
    for _ in range(3):
        send(client, seeds=1)
    first = client.get("/experiments?limit=2").json()
    second = client.get("/experiments", params={"limit": 2, "after": first["next_cursor"]}).json()
    assert first["has_more"]
    assert not {one["id"] for one in first["data"]} & {one["id"] for one in second["data"]}
