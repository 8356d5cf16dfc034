"""POST /jobs of kind evaluate, and POST /jobs/{id}/extend: bodies, refusals, idempotency keys, dry runs."""

from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from app.core.ids import new_id
from app.core.settings import get_settings
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from models.spec.training import MAX_STEPS
from tests.app.api.conftest import Publish
from tests.support.exports import publish_vivid
from tests.support.idempotent_requests import post_with_key
from tests.support.jobs import export_file, make_job
from tests.support.problems import assert_problem
from tests.support.zips import picture, zipped

EVALUATE = {"kind": "evaluate", "model": "cdcgan-digits", "n": 500}


@pytest.fixture(scope="module", autouse=True)
def model(publish: Publish) -> str:
    return publish()


def send(client: TestClient, key: str | None = None, **body: Any) -> httpx.Response:
    return post_with_key(client, "/jobs", EVALUATE | body, key)


def test_created_evaluation_replies_with_its_whole_spec(client: TestClient, model: str) -> None:
    reply = send(client, seed=7, figures=["frechet"])
    assert reply.status_code == 201, reply.text
    job = reply.json()
    assert reply.headers["location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["state"], job["dataset"], job["model"]) == (
        "evaluate", "queued", "digits", "cdcgan-digits",
    )  # fmt: skip
    settings = {"n": 500, "features": "own", "seed": 7, "figures": ["frechet"]}
    weights = job["spec"]["weights"]
    assert job["spec"] == settings | {"kind": "evaluate", "weights": weights}
    assert (weights["model"], weights["checkpoint"], weights["step"]) == (model, None, 3)
    assert job["progress"] == {"step": 0, "total": None, "eta_s": None}
    assert lifecycle.get(weights["job"]).model_name == "cdcgan-digits"
    listed = client.get("/jobs?kind=evaluate&model=cdcgan-digits").json()["data"]
    assert job["id"] in [one["id"] for one in listed]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"kind": "evaluate", "model": "cdcgan-digits", "recipe": "cdcgan"}, ["/recipe"]),
        (
            {"kind": "evaluate", "model": "cdcgan-digits", "budget": {"steps": 5}, "dataset": "digits"},
            ["/budget", "/dataset"],
        ),
        ({"kind": "train", "recipe": "cdcgan", "checkpoint": "ckpt_1", "n": 500}, ["/checkpoint", "/n"]),
        ({"recipe": "cdcgan", "features": "own"}, ["/features"]),
        ({"kind": "paint", "recipe": "cdcgan"}, ["/kind"]),
        ({"kind": None, "recipe": "cdcgan"}, ["/kind"]),
        ({"kind": ["train"], "recipe": "cdcgan"}, ["/kind"]),
        ({**EVALUATE, "n": 99}, ["/n"]),
        ({**EVALUATE, "n": 50_001}, ["/n"]),
        ({**EVALUATE, "n": "500"}, ["/n"]),
        ({**EVALUATE, "features": "vgg"}, ["/features"]),
        ({**EVALUATE, "seed": -1}, ["/seed"]),
        ({**EVALUATE, "figures": []}, ["/figures"]),
        ({**EVALUATE, "figures": ["beauty"]}, ["/figures/0"]),
        ({**EVALUATE, "checkpoint": "ckpt_1"}, ["/model"]),
        ({"kind": "evaluate"}, ["/model"]),
        ([], [""]),
    ],
)
def test_invalid_body_is_refused_with_a_pointer_to_each_wrong_field(
    client: TestClient, body: Any, pointers: list[str]
) -> None:
    refused = client.post("/jobs", json=body)
    assert refused.status_code == 422, refused.text
    assert sorted(error["pointer"] for error in refused.json()["errors"]) == pointers


def test_unknown_kind_is_refused_with_the_list_of_kinds(client: TestClient) -> None:
    detail = client.post("/jobs", json={"kind": "paint"}).json()["detail"]
    sentence = "'kind' is 'paint': write train, evaluate, generate or translate."
    assert detail == f"The request was refused. /kind: {sentence}"


@pytest.mark.parametrize(
    ("fields", "pointer"), [({"model": "nobody@2"}, "/model"), ({"model": None, "checkpoint": "x"}, "/checkpoint")]
)
def test_unknown_model_or_checkpoint_is_a_404_that_points_at_the_field(
    client: TestClient, fields: dict[str, Any], pointer: str
) -> None:
    missing = send(client, **fields)
    assert missing.status_code == 404
    assert [error["pointer"] for error in missing.json()["errors"]] == [pointer]
    assert missing.json()["detail"].startswith("There is no ")
    plan = send(client, **fields, dry_run=True)
    assert [refusal["pointer"] for refusal in plan.json()["refusals"]] == [pointer]


def test_dry_run_replies_with_the_plan_and_creates_no_job(client: TestClient, model: str) -> None:
    before = len(lifecycle.list_jobs(limit=100)[0])
    plan = send(client, dry_run=True)
    assert plan.status_code == 200
    body = plan.json()
    assert (body["kind"], body["family"], body["dataset"], body["model"]) == (
        "evaluate", "cdcgan", "digits", "cdcgan-digits",
    )  # fmt: skip
    assert (body["spec"]["weights"]["model"], body["spec"]["n"], body["refusals"]) == (model, 500, [])
    assert set(body["spec"]) == {"kind", "weights", "n", "features", "seed", "figures"}
    assert len(lifecycle.list_jobs(limit=100)[0]) == before


def test_idempotency_key_creates_one_evaluation(client: TestClient) -> None:
    key = new_id("key")
    first, second = send(client, key), send(client, key)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    assert send(client, key, seed=9).json()["code"] == "idempotency_mismatch"


def trained_job() -> JobView:
    """Create a training that has succeeded, with one checkpoint."""
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    path = get_settings().checkpoints(job.id) / "last.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"state")
    attempts.record_checkpoint(job.id, 1, 20, path.name, "0" * 64, 5)
    attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    return lifecycle.get(job.id)


def extend(client: TestClient, job_id: str, steps: Any, key: str | None = None) -> httpx.Response:
    return post_with_key(client, f"/jobs/{job_id}/extend", {"budget": {"steps": steps}}, key)


def test_training_is_extended_once_by_repeated_requests(client: TestClient) -> None:
    job, key = trained_job(), new_id("key")
    for _ in range(2):
        reply = extend(client, job.id, 30, key)
        assert reply.status_code == 200, reply.text
        assert (reply.json()["state"], reply.json()["progress"]["total"]) == ("queued", 50)
        assert reply.json()["result"] is None
    again = extend(client, job.id, 30)
    assert (again.status_code, again.json()["code"]) == (409, "not_extended")
    assert "only a training that has succeeded can be extended" in again.json()["detail"]


@pytest.mark.parametrize("steps", [0, -5, MAX_STEPS, MAX_STEPS + 1, "5", 1.5, None])
def test_extension_by_invalid_steps_is_refused(client: TestClient, steps: Any) -> None:
    refused = extend(client, trained_job().id, steps)
    assert refused.status_code == 422, refused.text
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/budget/steps"]


def test_extending_an_unknown_job_or_by_minutes_is_refused(client: TestClient) -> None:
    assert extend(client, "job_none", 5).status_code == 404
    assert client.post(f"/jobs/{trained_job().id}/extend", json={"budget": {"minutes": 5}}).status_code == 422


def test_event_stream_of_an_extended_job_continues_after_its_first_end(client: TestClient) -> None:
    job = trained_job()
    assert extend(client, job.id, 5).status_code == 200
    lifecycle.cancel(job.id)
    text = client.get(f"/jobs/{job.id}/events", headers={"Accept": "text/event-stream"}).text
    assert text.index('"succeeded"') < text.index("event: extended") < text.index('"cancelled"')


@pytest.mark.parametrize(
    ("family", "dataset", "words"),
    [("gan", "ring8", "needs features of single pictures"), ("inpaint", "digits", "needs features of single pictures")],
)
def test_probe_of_a_model_without_features_is_refused(
    client: TestClient, publish: Publish, family: str, dataset: str, words: str
) -> None:
    publish(family, dataset, name=f"no-features-{family}")
    body = assert_problem(send(client, model=f"no-features-{family}", figures=["psnr", "probe"]), 422)
    assert body["errors"][0]["pointer"] == "/figures/1"
    assert words in body["detail"]


@pytest.mark.parametrize("classes", [0, 1])
def test_probe_of_fewer_than_two_classes_is_refused(client: TestClient, classes: int) -> None:
    folders = [f"class-{number}/" for number in range(classes)] or [""]
    archive = zipped({f"{folder}{n}.png": picture(n) for folder in folders for n in range(4)})
    name = f"classes-{classes}"
    reply = client.post("/datasets", files={"file": ("a.zip", archive)}, data={"name": name})
    assert reply.status_code == 201, reply.text
    publish_vivid("dcgan", name, data={"side": 16})
    before = len(client.get("/jobs?kind=evaluate").json()["data"])
    body = assert_problem(send(client, model=f"dcgan-{name}", figures=["probe"]), 422)
    assert body["errors"][0]["pointer"] == "/figures/0"
    assert "at least two classes" in body["detail"]
    assert len(client.get("/jobs?kind=evaluate").json()["data"]) == before


def test_probe_without_the_critic_is_refused_and_leaves_nothing(client: TestClient) -> None:
    before = set(get_settings().home.glob("checkpoints/*"))
    listed = client.get("/jobs?kind=evaluate").json()["data"]
    body = assert_problem(send(client, figures=["probe"]), 409)
    assert body["code"] == "critic_gone"
    assert set(get_settings().home.glob("checkpoints/*")) == before
    assert client.get("/jobs?kind=evaluate").json()["data"] == listed
