"""Real full disks: the service reports `no_room`, leaves no partial file, and works again once there is room."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.disk import FILLER, OnSmallDisk, on_disk
from tests.support.service import CHECKOUT, Service
from tests.support.wait import until
from tests.support.zips import classes, noise, saved, zipped

pytestmark = pytest.mark.processes

SMALL_JOB: dict[str, Any] = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 5}}
DATASET = {"cats/1.png": saved(noise(500, 500, 1)), **classes("dogs")}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnSmallDisk]:
    """A service with a small home; its database lies elsewhere and has room."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "forger.db"
    service = OnSmallDisk(tmp_path_factory.mktemp("small"), "24m", DATABASE_URL=f"sqlite:///{elsewhere}")
    yield service.start()
    service.stop()


def upload(service: Service, name: str) -> Any:
    return service.client.post("/datasets", files={"file": ("a.zip", zipped(DATASET))}, data={"name": name})


def refused_reply(service: Service) -> Any:
    """Return the reply to a new job if it was refused; None while the database still has room."""
    reply = service.client.post("/jobs", json=SMALL_JOB)
    return None if reply.status_code == 201 else reply


def has_continued(job: dict[str, Any], step: int) -> bool:
    if job["state"] == "failed":
        assert job["status_reason"]["code"] == "no_room", job
        return True
    return bool(job["progress"]["step"] > step)


@pytest.mark.long
def test_full_home_refuses_uploads_and_fails_jobs_until_there_is_room(service: OnSmallDisk) -> None:
    large = {"file": ("a.png", bytes(3 << 20))}  # more than a form keeps in memory
    assert service.client.post("/translate", files=large).status_code == 404, "from now on the service uses TMPDIR"
    service.wait_for(service.post(**SMALL_JOB), "succeeded")
    service.fill()
    reply = upload(service, "pets")
    assert (reply.status_code, reply.json()["code"]) == (507, "no_room"), reply.text
    assert "no room" in reply.json()["detail"]
    reply = service.client.post("/translate", files=large)
    assert (reply.status_code, reply.json()["code"]) == (507, "no_room"), reply.text
    generation = {"kind": "generate", "n": 20, "seed": 1, "format": "npz"}
    for request in (SMALL_JOB, generation):
        failed = service.wait_for(service.post(**request), "failed")
        assert failed["status_reason"]["code"] == "no_room", failed
        assert "no room" in failed["status_reason"]["message"]
    assert service.half_written() == []
    service.make_room()
    assert upload(service, "pets").status_code == 201
    for request in (SMALL_JOB, generation):
        service.wait_for(service.post(**request), "succeeded")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("database", ["new", "migrated"])
def test_start_on_a_full_disk_is_refused_with_one_sentence(tmp_path: Path, database: str) -> None:
    """SQLite reports a full disk when it creates a database, and an unreadable one when it opens it."""
    fill = f'head -c 10M /dev/zero > "$0/{FILLER}" 2> /dev/null; exec "$@"'
    serve = [sys.executable, "-P", "-m", "forger", "serve"]
    env = {**os.environ, "FORGER_HOME": str(tmp_path), "FORGER_PORT": "0", "PYTHONPATH": str(CHECKOUT)}
    first = f"{sys.executable} -P -m forger migrate; {fill}" if database == "migrated" else fill
    command = on_disk(tmp_path, "2m", "sh", "-c", first, str(tmp_path), *serve)
    ended = subprocess.run(command, env=env, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.strip().splitlines()[-1].startswith("The database has no room left"), ended.stderr


@pytest.mark.long
def test_full_database_refuses_requests_until_there_is_room(tmp_path: Path) -> None:
    """Requests have status 507 while it is full. A running job fails with `no_room` or continues once there is room."""
    service = OnSmallDisk(tmp_path, "24m").start()
    try:
        running = service.post(**SMALL_JOB | {"budget": {"steps": 1_000_000}, "overrides": {"checkpoint_every": 50}})
        service.wait_for(running, "running")
        service.fill()
        reply = until(lambda: refused_reply(service))
        assert (reply.status_code, reply.json()["code"]) == (507, "no_room"), reply.text
        service.make_room()
        step = service.job(running)["progress"]["step"]
        until(lambda: has_continued(service.job(running), step))
        service.client.post(f"/jobs/{running}/cancel")
        service.wait_for(service.post(**SMALL_JOB), "succeeded")
        assert service.half_written() == []
    finally:
        service.stop()
