"""/models as a registry: publish a checkpoint, read a version, withdraw it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from app.core.errors import NotReady
from app.core.settings import get_settings
from app.services.inference.service import MAX_PUBLISHING, Inference
from app.services.jobs import attempts, lifecycle
from app.services.views import CheckpointView
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import make_job, record_report


@pytest.fixture
def checkpoint(client: TestClient) -> Iterator[CheckpointView]:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    attempts.agree_numerics(job.id, 1, {"threads": 1, "device": "cpu"})
    yield write_checkpoint(job.id, 4)
    attempts.fail(job.id, 1, "internal_error", "It broke.")


def publish(client: TestClient, name: str, checkpoint: str) -> str:
    reply = client.post("/models", json={"name": name, "checkpoint": checkpoint})
    assert reply.status_code == 201, reply.text
    at: str = reply.headers["location"]
    assert client.get(at).json() == reply.json()
    return at


@pytest.mark.slow
def test_a_published_checkpoint_draws_and_a_withdrawn_one_does_not(
    client: TestClient, checkpoint: CheckpointView
) -> None:
    at = publish(client, "early", checkpoint.id)
    assert at == "/models/early@1"
    version = client.get(at).json()
    assert (version["step"], version["card"]["from_checkpoint"]) == (4, checkpoint.id)
    assert client.get("/sample?model=early@1&class=7&seed=1").status_code == 200
    assert client.delete(at).status_code == 204
    assert client.get(at).status_code == 404
    assert client.get("/models/early").status_code == 404
    assert client.get("/sample?model=early@1&class=7&seed=1").status_code == 404
    assert client.delete(at).status_code == 404
    assert publish(client, "early", checkpoint.id) == "/models/early@2"
    publish(client, "early", checkpoint.id)
    assert client.delete("/models/early").status_code == 204
    assert client.get("/models/early@3").status_code == 404


def test_a_job_deleted_later_takes_nothing_from_the_version(client: TestClient) -> None:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    record_report(job.id, 1, 3, {"critic": 1.0}, b"png")
    at = publish(client, "orphan", write_checkpoint(job.id, 4).id)
    assert client.get(at).json()["card"]["sample"] == lifecycle.artifacts(job.id)[0].id
    attempts.fail(job.id, 1, "internal_error", "It broke.")
    assert client.delete(f"/jobs/{job.id}").status_code == 204
    assert client.get(f"/jobs/{job.id}").status_code == 404
    version = client.get(at).json()
    assert (version["job"], version["card"]["sample"]) == (None, None)
    assert client.get("/sample?model=orphan@1&class=7&seed=1").status_code == 200


def test_a_running_job_is_not_deleted(client: TestClient, checkpoint: CheckpointView) -> None:
    job = lifecycle.list_jobs(state="running")[0][0]
    refused = client.delete(f"/jobs/{job.id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_state")


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"name": "../x", "checkpoint": "c"}, 422, "/name"),
        ({"name": "x", "checkpoint": "c" * 65}, 422, "/checkpoint"),
        ({"name": "x"}, 422, "/checkpoint"),
        ({"name": "x", "checkpoint": "c", "version": 7}, 422, "/version"),
        ({"name": "x", "checkpoint": "ckpt_" + "0" * 32}, 404, None),
    ],
)
def test_what_cannot_be_published_is_refused(
    client: TestClient, body: dict[str, object], status: int, pointer: str | None
) -> None:
    refused = client.post("/models", json=body)
    assert refused.status_code == status
    assert [error["pointer"] for error in refused.json()["errors"]] == ([pointer] if pointer else [])


def test_a_damaged_checkpoint_is_refused(client: TestClient, checkpoint: CheckpointView) -> None:
    (job,) = lifecycle.list_jobs(state="running")[0]
    (get_settings().checkpoints(job.id) / checkpoint.file).write_bytes(b"damaged")
    refused = client.post("/models", json={"name": "x", "checkpoint": checkpoint.id})
    assert (refused.status_code, refused.json()["code"]) == (409, "checkpoint_damaged")


def test_without_torch_the_answer_is_503(
    client: TestClient, checkpoint: CheckpointView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(self: object) -> None:
        raise NotReady("The engine did not start: No module named 'torch'.")

    monkeypatch.setattr("app.services.inference.service.Inference._wait_for_engine", absent)
    refused = client.post("/models", json={"name": "x", "checkpoint": checkpoint.id})
    assert refused.status_code == 503
    assert "No module named 'torch'" in refused.json()["detail"]


def test_few_are_published_at_once(client: TestClient, checkpoint: CheckpointView) -> None:
    inference: Inference = client.app.state.inference  # type: ignore[attr-defined]
    with ExitStack() as places:
        for _ in range(MAX_PUBLISHING):
            places.enter_context(inference.publishing())
        refused = client.post("/models", json={"name": "late", "checkpoint": checkpoint.id})
        assert (refused.status_code, refused.json()["code"]) == (429, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert not list(get_settings().checkpoints("x").parent.glob("publishing*"))
    publish(client, "late", checkpoint.id)


@pytest.mark.parametrize("address", ["x@0", "x@2147483648", "x@one", "X", "X@1"])
def test_addresses_that_name_no_version(client: TestClient, address: str) -> None:
    assert client.delete(f"/models/{address}").status_code == 422
    assert client.get(f"/models/{address}").status_code in (404, 422)
