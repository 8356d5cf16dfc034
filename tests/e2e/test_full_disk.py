"""No room is told as no room, leaves nothing half written, and is over once there is room again. On real full disks."""

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

SMALL: dict[str, Any] = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 5}}
DATASET = {"cats/1.png": saved(noise(500, 500, 1)), **classes("dogs")}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnSmallDisk]:
    """Its database has room."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "forger.db"
    service = OnSmallDisk(tmp_path_factory.mktemp("small"), "24m", DATABASE_URL=f"sqlite:///{elsewhere}")
    yield service.start()
    service.stop()


def upload(service: Service, name: str) -> Any:
    return service.client.post("/datasets", files={"file": ("a.zip", zipped(DATASET))}, data={"name": name})


@pytest.mark.long
def test_a_full_home(service: OnSmallDisk) -> None:
    large = {"file": ("a.png", bytes(3 << 20))}  # beyond what is kept in memory while a form is read
    assert service.client.post("/translate", files=large).status_code == 404, "It has chosen TMPDIR now."
    service.wait_for(service.post(**SMALL), "succeeded")
    service.fill()
    told = upload(service, "pets")
    assert (told.status_code, told.json()["code"]) == (507, "no_room"), told.text
    assert "no room" in told.json()["detail"]
    told = service.client.post("/translate", files=large)
    assert (told.status_code, told.json()["code"]) == (507, "no_room"), told.text
    drawn = {"kind": "generate", "n": 20, "seed": 1, "format": "npz"}
    for wish in (SMALL, drawn):
        failed = service.wait_for(service.post(**wish), "failed")
        assert failed["status_reason"]["code"] == "no_room", failed
        assert "no room" in failed["status_reason"]["message"]
    assert service.half_written() == []
    service.make_room()
    assert upload(service, "pets").status_code == 201
    for wish in (SMALL, drawn):
        service.wait_for(service.post(**wish), "succeeded")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("database", ["new", "migrated"])
def test_a_start_on_a_full_disk_says_so(tmp_path: Path, database: str) -> None:
    """SQLite calls the disk full while it makes a database, and unreadable while it opens one."""
    fill = f'head -c 10M /dev/zero > "$0/{FILLER}" 2> /dev/null; exec "$@"'
    serve = [sys.executable, "-P", "-m", "forger", "serve"]
    env = {**os.environ, "FORGER_HOME": str(tmp_path), "FORGER_PORT": "0", "PYTHONPATH": str(CHECKOUT)}
    first = f"{sys.executable} -P -m forger migrate; {fill}" if database == "migrated" else fill
    command = on_disk(tmp_path, "2m", "sh", "-c", first, str(tmp_path), *serve)
    ended = subprocess.run(command, env=env, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.strip().splitlines()[-1].startswith("The database has no room left"), ended.stderr


@pytest.mark.long
def test_a_database_on_a_full_disk(tmp_path: Path) -> None:
    """Requests are 507 while it is full. A job that runs meanwhile ends as `no_room` or goes on once there is room."""
    service = OnSmallDisk(tmp_path, "24m").start()
    try:
        running = service.post(**SMALL | {"budget": {"steps": 1_000_000}, "overrides": {"checkpoint_every": 50}})
        service.wait_for(running, "running")
        service.fill()
        told = until(lambda: refused(service))
        assert (told.status_code, told.json()["code"]) == (507, "no_room"), told.text
        service.make_room()
        step = service.job(running)["progress"]["step"]
        until(lambda: goes_on(service.job(running), step))
        service.client.post(f"/jobs/{running}/cancel")
        service.wait_for(service.post(**SMALL), "succeeded")
        assert service.half_written() == []
    finally:
        service.stop()


def refused(service: Service) -> Any:
    """The reply to a new job once there is no place left in the database and its log."""
    reply = service.client.post("/jobs", json=SMALL)
    return None if reply.status_code == 201 else reply


def goes_on(job: dict[str, Any], step: int) -> bool:
    if job["state"] == "failed":
        assert job["status_reason"]["code"] == "no_room", job
        return True
    return bool(job["progress"]["step"] > step)
