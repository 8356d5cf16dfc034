"""/models as a registry: publish a checkpoint, read a version, delete it."""

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
    url: str = reply.headers["location"]
    assert client.get(url).json() == reply.json()
    return url


@pytest.mark.slow
def test_published_version_can_be_sampled_until_it_is_deleted(client: TestClient, checkpoint: CheckpointView) -> None:
    url = publish(client, "early", checkpoint.id)
    assert url == "/models/early@1"
    version = client.get(url).json()
    assert (version["step"], version["card"]["from_checkpoint"]) == (4, checkpoint.id)
    assert client.get("/sample?model=early@1&class=7&seed=1").status_code == 200
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404
    assert client.get("/models/early").status_code == 404
    assert client.get("/sample?model=early@1&class=7&seed=1").status_code == 404
    assert client.delete(url).status_code == 404
    assert publish(client, "early", checkpoint.id) == "/models/early@2"
    publish(client, "early", checkpoint.id)
    assert client.delete("/models/early").status_code == 204
    assert client.get("/models/early@3").status_code == 404


def test_version_remains_when_its_job_is_deleted(client: TestClient) -> None:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    record_report(job.id, 1, 3, {"critic": 1.0}, b"png")
    url = publish(client, "orphan", write_checkpoint(job.id, 4).id)
    assert client.get(url).json()["card"]["sample"] == lifecycle.artifacts(job.id)[0].id
    attempts.fail(job.id, 1, "internal_error", "It broke.")
    assert client.delete(f"/jobs/{job.id}").status_code == 204
    assert client.get(f"/jobs/{job.id}").status_code == 404
    version = client.get(url).json()
    assert (version["job"], version["card"]["sample"]) == (None, None)
    assert client.get("/sample?model=orphan@1&class=7&seed=1").status_code == 200


def test_running_job_cannot_be_deleted(client: TestClient, checkpoint: CheckpointView) -> None:
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
def test_invalid_publication_is_refused_with_a_pointer(
    client: TestClient, body: dict[str, object], status: int, pointer: str | None
) -> None:
    refused = client.post("/models", json=body)
    assert refused.status_code == status
    assert [error["pointer"] for error in refused.json()["errors"]] == ([pointer] if pointer else [])


def test_damaged_checkpoint_is_not_published(client: TestClient, checkpoint: CheckpointView) -> None:
    (job,) = lifecycle.list_jobs(state="running")[0]
    (get_settings().checkpoints(job.id) / checkpoint.file).write_bytes(b"damaged")
    refused = client.post("/models", json={"name": "x", "checkpoint": checkpoint.id})
    assert (refused.status_code, refused.json()["code"]) == (409, "checkpoint_damaged")


def test_publishing_without_torch_replies_503(
    client: TestClient, checkpoint: CheckpointView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object) -> None:
        raise NotReady("The engine did not start: No module named 'torch'.")

    monkeypatch.setattr("app.services.inference.service.Inference._wait_for_engine", refuse)
    refused = client.post("/models", json={"name": "x", "checkpoint": checkpoint.id})
    assert refused.status_code == 503
    assert "No module named 'torch'" in refused.json()["detail"]


def test_concurrent_publications_are_bounded(client: TestClient, checkpoint: CheckpointView) -> None:
    inference: Inference = client.app.state.inference  # type: ignore[attr-defined]
    with ExitStack() as publications:
        for _ in range(MAX_PUBLISHING):
            publications.enter_context(inference.publishing())
        refused = client.post("/models", json={"name": "late", "checkpoint": checkpoint.id})
        assert (refused.status_code, refused.json()["code"]) == (429, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert not list(get_settings().checkpoints("x").parent.glob("publishing*"))
    publish(client, "late", checkpoint.id)


@pytest.mark.parametrize("version", ["x@0", "x@2147483648", "x@one", "X", "X@1"])
def test_invalid_version_names_are_refused(client: TestClient, version: str) -> None:
    assert client.delete(f"/models/{version}").status_code == 422
    assert client.get(f"/models/{version}").status_code in (404, 422)
