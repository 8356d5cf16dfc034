"""Damaged files are never served: an export is rebuilt from its checkpoint, everything else is refused by name."""

import itertools
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.core.store import Store, sha256_of
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import make_job, record_report
from tests.support.problems import assert_problem

BATCH_SIZES = itertools.count(8)
"""each job has another recipe, and so an export that no engine has loaded yet"""


def damage(sha256: str) -> Path:
    """Change one byte of a stored file; return its path."""
    path = Store(get_settings().artifacts).path(sha256)
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    return path


@pytest.fixture
def version(client: TestClient) -> registry.VersionView:
    """Publish a checkpoint of a failed job; no sample has been drawn from it."""
    job = make_job(batch_size=next(BATCH_SIZES))
    assert attempts.claim(job.id, "tests") is not None
    attempts.agree_numerics(job.id, 1, {"threads": 1, "device": "cpu"})
    record_report(job.id, 1, 3, {"critic": 1.0}, b"a picture of step 3")
    checkpoint = write_checkpoint(job.id, 4)
    attempts.fail(job.id, 1, "internal_error", "It broke.")
    reply = client.post("/models", json={"name": "damaged", "checkpoint": checkpoint.id})
    assert reply.status_code == 201, reply.text
    return registry.find(f"damaged@{reply.json()['version']}")


def draw(client: TestClient, version: registry.VersionView) -> bytes:
    reply = client.get("/sample", params={"model": f"damaged@{version.version}", "class": "7", "seed": 1})
    assert reply.status_code == 200, reply.text
    return bytes(reply.content)


@pytest.mark.parametrize("missing", [False, True])
def test_damaged_or_missing_export_is_rebuilt_from_its_checkpoint(
    client: TestClient, version: registry.VersionView, missing: bool
) -> None:
    path = damage(version.export_sha256)
    if missing:
        path.unlink()
    draw(client, version)
    assert sha256_of(path) == version.export_sha256


def test_damaged_export_without_a_checkpoint_is_refused_by_name(
    client: TestClient, version: registry.VersionView
) -> None:
    assert version.job_id is not None
    damage(version.export_sha256)
    lifecycle.delete(version.job_id)
    body = assert_problem(client.get(f"/sample?model=damaged@{version.version}&seed=1"), 409)
    assert body["code"] == "model_damaged"
    assert f"damaged@{version.version} is damaged" in body["detail"]


def test_publishing_again_repairs_a_damaged_export(client: TestClient, version: registry.VersionView) -> None:
    assert version.job_id is not None
    path = damage(version.export_sha256)
    checkpoint = lifecycle.checkpoints(version.job_id)[0]
    assert client.post("/models", json={"name": "again", "checkpoint": checkpoint.id}).status_code == 201
    assert sha256_of(path) == version.export_sha256


def test_damaged_sample_of_a_job_is_refused(client: TestClient, version: registry.VersionView) -> None:
    assert version.job_id is not None
    picture = lifecycle.artifacts(version.job_id, "sample")[0]
    url = f"/jobs/{version.job_id}/artifacts/{picture.id}"
    assert client.get(url).status_code == 200
    damage(picture.sha256)
    body = assert_problem(client.get(url), 409)
    assert (body["code"], body["detail"].split(":")[0]) == (
        "file_damaged",
        "The file of sample-000000003.png is damaged",
    )
