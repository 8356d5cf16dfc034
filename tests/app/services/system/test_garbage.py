"""Deleting a job takes what belongs to it alone; the sweep takes what nothing names, and nothing else."""

import os
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core.errors import Conflict, NotFound
from app.core.ids import new_id
from app.core.settings import get_settings
from app.core.store import Store
from app.db.session import unit_of_work
from app.services import idempotency
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from app.services.system import garbage, home
from forger.wire import TERMINAL, JobState
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import export_file, make_job, put_in, record_report

TABLES = ("jobs", "events", "points", "checkpoints", "artifacts", "idempotency_keys")


def finished(sample: bytes = b"png") -> str:
    """A job with all that a job can leave, under an idempotency key."""
    with idempotency.once(new_id("key"), "a") as turn:
        assert not isinstance(turn, idempotency.Replay)
        job_id = make_job("gan", answer=turn).id
    assert attempts.claim(job_id, "tests") is not None
    record_report(job_id, 1, 10, {"critic": 1.0}, sample)
    write_checkpoint(job_id, 10)
    attempts.finish_training(job_id, 1, export_file(), {}, step=20, figures={})
    log = get_settings().logs / f"{job_id}-1.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("words")
    return job_id


def count(table: str) -> int:
    with unit_of_work(read_only=True) as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def grow_old(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (0, 0))


def stored() -> list[Path]:
    return [path for path in get_settings().artifacts.rglob("*") if path.is_file()]


def test_a_deleted_job_leaves_nothing_but_what_it_published(database: Path) -> None:
    job_id, kept = finished(), finished(b"another png")
    before = {table: count(table) for table in TABLES}
    lifecycle.delete(job_id)
    assert {table: count(table) for table in TABLES} == {table: number // 2 for table, number in before.items()}
    assert not get_settings().checkpoints(job_id).exists()
    assert [log.name for log in get_settings().logs.iterdir()] == [f"{kept}-1.log"]
    with pytest.raises(NotFound):
        lifecycle.get(job_id)
    version = next(version for version in registry.versions() if version.version == 1)
    assert version.job_id is None
    assert version.card == {"figures": {"critic": 1.0}, "sample": None}, "its picture went with the job"
    assert Store(get_settings().artifacts).path(version.export_sha256).exists()


@pytest.mark.parametrize("state", sorted(set(JobState) - TERMINAL))
def test_a_job_that_has_not_ended_is_not_deleted(database: Path, state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    with pytest.raises(Conflict, match=f"is {state}") as refused:
        lifecycle.delete(job.id)
    assert refused.value.code == "job_state"
    assert lifecycle.get(job.id).state == state


def test_the_sweep_takes_the_pictures_of_deleted_jobs_and_leaves_the_rest(database: Path) -> None:
    gone, kept = finished(b"one"), finished(b"two")
    grow_old(*stored())
    garbage.sweep()
    assert len(stored()) == 3, "two pictures and the one export of both"
    lifecycle.delete(gone)
    garbage.sweep()
    left = {artifact.sha256 for artifact in lifecycle.artifacts(kept)}
    assert {path.name for path in stored()} == left
    assert registry.versions()[0].export_sha256 in left


def test_every_table_that_names_files_keeps_them(database: Path) -> None:
    store = Store(get_settings().artifacts)
    sums = [store.put_bytes(name.encode()) for name in ("archive", "index", "sheet")]
    row = "INSERT INTO datasets VALUES ('d', 'faces', '{}', '{}', :archive, :index, :sheet, 0)"
    with unit_of_work() as session:
        session.execute(text(row), dict(zip(("archive", "index", "sheet"), sums, strict=True)))
    grow_old(*stored())
    garbage.sweep()
    assert {path.name for path in stored()} == set(sums)


def test_folders_and_logs_without_a_job_are_swept_when_they_are_old(database: Path) -> None:
    settings, kept = get_settings(), finished()
    old, young = new_id("job"), new_id("job")
    for job_id in (old, young):
        settings.checkpoints(job_id).mkdir(parents=True)
        (settings.checkpoints(job_id) / "start.pt").write_bytes(b"weights")
        (settings.logs / f"{job_id}-1.log").write_text("words")
    grow_old(settings.checkpoints(old), settings.logs / f"{old}-1.log", settings.checkpoints(kept))
    garbage.sweep()
    assert {folder.name for folder in settings.checkpoints("").iterdir()} == {young, kept}
    assert {log.name for log in settings.logs.iterdir()} == {f"{young}-1.log", f"{kept}-1.log"}


def test_a_first_sweep_finds_nothing_and_fails_at_nothing(database: Path) -> None:
    garbage.sweep()


def test_beside_another_database_no_file_is_removed(database: Path) -> None:
    """The rows that name them are elsewhere: DATABASE_URL was changed and the home was not."""
    garbage.sweep()
    path = Store(get_settings().artifacts).path(Store(get_settings().artifacts).put_bytes(b"named elsewhere"))
    grow_old(path)
    ours = (database / home.IDENTITY_FILE).read_text()
    (database / home.IDENTITY_FILE).write_text("db_another")
    garbage.sweep()
    assert path.exists()
    (database / home.IDENTITY_FILE).write_text(ours)
    garbage.sweep()
    assert not path.exists()


def test_a_database_that_names_nothing_takes_no_home_that_is_in_use(database: Path) -> None:
    """A home from before homes were marked, and DATABASE_URL changed at the same time."""
    path = Store(get_settings().artifacts).path(Store(get_settings().artifacts).put_bytes(b"named elsewhere"))
    grow_old(path)
    garbage.sweep()
    assert path.exists()
    assert not (database / home.IDENTITY_FILE).exists()
    finished()
    garbage.sweep()
    assert (database / home.IDENTITY_FILE).exists(), "now it names files that are there"
    assert not path.exists()


def test_what_is_no_job_of_ours_stays(database: Path) -> None:
    finished()
    backup, odd = (get_settings().checkpoints(name) for name in ("backup-of-monday", "-x"))
    for folder in (backup, odd):
        folder.mkdir()
    grow_old(backup, odd)
    garbage.sweep()
    assert backup.exists()
    assert odd.exists()
