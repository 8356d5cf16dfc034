"""/jobs with a real database; no worker runs here, so jobs stay in their states."""

import re
from typing import Any

from starlette.testclient import TestClient

from app.services.jobs import attempts, lifecycle
from tests.support.jobs import make_job, record_report
from tests.support.parquet import columns

FIELDS = {
    "id", "kind", "state", "status_reason", "family", "recipe", "dataset", "model", "attempt", "progress",
    "queue_position", "starts_in_s", "created_at", "queued_at", "started_at", "heartbeat_at", "finished_at",
    "result", "links", "health", "spec", "experiment", "case", "best",
    "estimate", "numerics",
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def post(client: TestClient, **body: Any) -> dict[str, Any]:
    reply = client.post("/jobs", json={"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 9}} | body)
    assert reply.status_code == 201, reply.text
    job: dict[str, Any] = reply.json()
    assert reply.headers["location"] == f"/jobs/{job['id']}"
    return job


def test_created_job_has_every_field(client: TestClient) -> None:
    job = post(client, seed=2**63 - 1, overrides={"batch_size": 16})
    assert job.keys() == FIELDS
    assert (job["kind"], job["state"], job["family"], job["dataset"]) == ("train", "queued", "cdcgan", "digits")
    assert job["model"] == "cdcgan-digits"
    assert job["progress"] == {"step": 0, "total": 9, "eta_s": None}
    assert job["recipe"]["seed"] == 2**63 - 1
    assert job["recipe"]["batch_size"] == 16
    assert job["result"] is None
    assert TIME.fullmatch(job["created_at"])
    assert client.get(f"/jobs/{job['id']}").json() == job
    assert all(client.get(link).status_code == 200 for link in job["links"].values())


def test_recipe_of_a_job_can_be_posted_again(client: TestClient) -> None:
    recipe = post(client)["recipe"]
    job = post(client, recipe=recipe, dataset=None, budget=None, model="mine")
    assert (job["family"], job["model"], job["recipe"]) == (None, "mine", recipe)


def test_whole_recipe_with_an_unknown_dataset_is_refused(client: TestClient) -> None:
    recipe = post(client)["recipe"]
    recipe["data"]["dataset"] = "cats"
    reply = client.post("/jobs", json={"recipe": recipe})
    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json()["errors"]] == ["/recipe/data/dataset"]


def test_jobs_are_listed_in_pages_newest_first(client: TestClient) -> None:
    created = [post(client, dataset="mnist", recipe="dcgan")["id"] for _ in range(5)]
    listed, cursor = [], None
    while True:
        after = f"&after={cursor}" if cursor else ""
        page = client.get(f"/jobs?limit=2&dataset=mnist{after}").json()
        assert page["has_more"] == (page["next_cursor"] is not None)
        listed += [job["id"] for job in page["data"]]
        if not (cursor := page["next_cursor"]):
            break
    assert listed == created[::-1]


def test_jobs_are_filtered_by_family_state_model_and_kind(client: TestClient) -> None:
    post(client, recipe="wgan")
    assert {job["family"] for job in client.get("/jobs?family=wgan").json()["data"]} == {"wgan"}
    assert client.get("/jobs?family=wgan&state=running").json()["data"] == []
    post(client, model="filtered")
    assert [job["model"] for job in client.get("/jobs?model=filtered&kind=train").json()["data"]] == ["filtered"]
    assert client.get("/jobs?model=filtered&kind=evaluate").json()["data"] == []


def test_unknown_kind_filter_is_refused_with_the_list_of_kinds(client: TestClient) -> None:
    reply = client.get("/jobs?kind=x")
    assert reply.status_code == 422
    kinds = {"train", "evaluate", "generate", "translate", "augment"}
    assert all(kind in reply.json()["detail"] for kind in kinds)
    parameters = client.get("/openapi.json").json()["paths"]["/jobs"]["get"]["parameters"]
    schema = next(parameter["schema"] for parameter in parameters if parameter["name"] == "kind")
    assert kinds in [set(arm.get("enum", ())) for arm in schema["anyOf"]]


def test_pause_resume_and_cancel_can_be_repeated(client: TestClient) -> None:
    url = f"/jobs/{post(client)['id']}"
    for verb, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        for _ in range(2):
            reply = client.post(f"{url}/{verb}")
            assert (reply.status_code, reply.json()["state"]) == (200, state)
    refused = client.post(f"{url}/resume")
    assert refused.status_code == 409
    assert "cancelled" in refused.json()["detail"]


def test_metrics_checkpoints_and_samples_of_a_job_are_listed(client: TestClient) -> None:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    record_report(job.id, 1, 0, {"loss": 0.5, "score": None}, b"first")
    record_report(job.id, 1, 10, {"loss": 0.25}, b"second")
    attempts.record_checkpoint(job.id, 1, 10, "step-10", "0" * 64, 3)
    url = f"/jobs/{job.id}"

    curves = client.get(f"{url}/metrics").json()["data"]
    assert curves == [
        {"name": "loss", "points": [[0, 0.5], [10, 0.25]], "thinned": False},
        {"name": "score", "points": [[0, None]], "thinned": False},
    ]
    assert client.get(f"{url}/metrics?name=score&after_step=0").json()["data"] == []
    csv_reply = client.get(f"{url}/metrics", headers={"Accept": "text/csv"})
    assert (csv_reply.headers["content-type"], csv_reply.headers["vary"]) == ("text/csv; charset=utf-8", "Accept")
    assert csv_reply.text == "curve,step,value,thinned\r\nloss,0,0.5,\r\nloss,10,0.25,\r\nscore,0,,\r\n"
    parquet_reply = client.get(f"{url}/metrics?name=loss", headers={"Accept": "application/vnd.apache.parquet"})
    assert columns(parquet_reply.content) == {
        "curve": ["loss", "loss"], "step": [0, 10], "value": [0.5, 0.25], "thinned": [False, False],
    }  # fmt: skip
    assert client.get(f"{url}/metrics", headers={"Accept": "image/png"}).status_code == 406
    assert [checkpoint["step"] for checkpoint in client.get(f"{url}/checkpoints").json()["data"]] == [10]

    samples = client.get(f"{url}/samples").json()["data"]
    assert [sample["step"] for sample in samples] == [0, 10]
    assert [client.get(sample["href"]).content for sample in samples] == [b"first", b"second"]
    assert len(client.get(f"{url}/artifacts?kind=sample").json()["data"]) == 2


def test_artifacts_are_immutable_and_served_in_ranges(client: TestClient) -> None:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    record_report(job.id, 1, 0, {}, b"0123456789")
    href = client.get(f"/jobs/{job.id}/samples").json()["data"][0]["href"]
    whole = client.get(href)
    assert whole.headers["content-type"] == "image/png"
    assert "immutable" in whole.headers["cache-control"]
    assert client.get(href, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    part = client.get(href, headers={"range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    beyond = client.get(href, headers={"range": "bytes=99-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-type"] == "application/problem+json"
    other = make_job()
    assert client.get(href.replace(job.id, other.id)).status_code == 404


def test_refused_jobs_leave_nothing_behind(client: TestClient) -> None:
    def job_states() -> list[tuple[str, str]]:
        return [(job.id, job.state) for job in lifecycle.list_jobs(limit=100)[0]]

    before = job_states()
    for body in ({"recipe": "nothing"}, {"recipe": "cdcgan", "dataset": "ring8"}, {"recipe": "gan", "extra": 1}):
        assert client.post("/jobs", json=body).status_code == 422
    assert job_states() == before
