"""Deleting a job deletes only what belongs to it; the sweep deletes only what nothing refers to."""

import os
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core.errors import Conflict, NotFound
from app.core.ids import new_id
from app.core.settings import get_settings
from app.core.store import Store, file_system_time
from app.db.session import unit_of_work
from app.services.jobs import lifecycle
from app.services.models import portable, registry
from app.services.system import garbage, home
from forger.wire import TERMINAL, JobState
from tests.support.jobs import make_job, put_in
from tests.support.row_counts import count_rows
from tests.support.stored_files import stored_files
from tests.support.trained_jobs import job_with_every_trace

TABLES = ("jobs", "events", "points", "checkpoints", "artifacts", "idempotency_keys")


def make_old(*paths: Path) -> None:
    for path in paths:
        os.utime(path, (0, 0))


def test_deleted_job_leaves_only_its_published_version(database: Path) -> None:
    job_id, kept_id = job_with_every_trace(), job_with_every_trace(b"another png")
    before = {table: count_rows(table) for table in TABLES}
    lifecycle.delete(job_id)
    assert {table: count_rows(table) for table in TABLES} == {table: number // 2 for table, number in before.items()}
    assert not get_settings().checkpoints(job_id).exists()
    assert [log.name for log in get_settings().logs.iterdir()] == [f"{kept_id}-1.log"]
    with pytest.raises(NotFound):
        lifecycle.get(job_id)
    version = next(version for version in registry.versions() if version.version == 1)
    assert version.job_id is None
    assert version.card == {"figures": {"critic": 1.0}, "sample": None}, "the sample is deleted with its job"
    assert Store(get_settings().artifacts).path(version.export_sha256).exists()


@pytest.mark.parametrize("state", sorted(set(JobState) - TERMINAL))
def test_job_that_has_not_ended_cannot_be_deleted(database: Path, state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    with pytest.raises(Conflict, match=f"is {state}") as refused:
        lifecycle.delete(job.id)
    assert refused.value.code == "job_state"
    assert lifecycle.get(job.id).state == state


def test_sweep_deletes_only_the_files_of_deleted_jobs(database: Path) -> None:
    deleted, kept = job_with_every_trace(b"one"), job_with_every_trace(b"two")
    make_old(*stored_files())
    garbage.sweep()
    assert len(stored_files()) == 3, "two pictures and the one export of both"
    lifecycle.delete(deleted)
    garbage.sweep()
    remaining = {artifact.sha256 for artifact in lifecycle.artifacts(kept)}
    assert {path.name for path in stored_files()} == remaining
    assert registry.versions()[0].export_sha256 in remaining


def test_sweep_keeps_files_of_datasets(database: Path) -> None:
    store = Store(get_settings().artifacts)
    sums = [store.put_bytes(name.encode()) for name in ("archive", "index", "sheet")]
    row = "INSERT INTO datasets VALUES ('d', 'faces', '{}', '{}', :archive, :index, :sheet, 0)"
    with unit_of_work() as session:
        session.execute(text(row), dict(zip(("archive", "index", "sheet"), sums, strict=True)))
    make_old(*stored_files())
    garbage.sweep()
    assert {path.name for path in stored_files()} == set(sums)


def test_sweep_deletes_old_folders_and_logs_without_a_job(database: Path) -> None:
    settings, kept = get_settings(), job_with_every_trace()
    old, young = new_id("job"), new_id("job")
    for job_id in (old, young):
        settings.checkpoints(job_id).mkdir(parents=True)
        (settings.checkpoints(job_id) / "start.pt").write_bytes(b"weights")
        (settings.logs / f"{job_id}-1.log").write_text("words")
    make_old(settings.checkpoints(old), settings.logs / f"{old}-1.log", settings.checkpoints(kept))
    garbage.sweep()
    assert {folder.name for folder in settings.checkpoints("").iterdir()} == {young, kept}
    assert {log.name for log in settings.logs.iterdir()} == {f"{young}-1.log", f"{kept}-1.log"}


def test_sweep_of_an_empty_home_does_not_fail(database: Path) -> None:
    garbage.sweep()


def test_sweep_deletes_nothing_when_the_home_belongs_to_another_database(database: Path) -> None:
    """DATABASE_URL was changed and the home was not, so the rows that name its files are elsewhere."""
    garbage.sweep()
    path = Store(get_settings().artifacts).path(Store(get_settings().artifacts).put_bytes(b"named elsewhere"))
    make_old(path)
    identity = (database / home.IDENTITY_FILE).read_text()
    (database / home.IDENTITY_FILE).write_text("db_another")
    garbage.sweep()
    assert path.exists()
    (database / home.IDENTITY_FILE).write_text(identity)
    garbage.sweep()
    assert not path.exists()


def test_unmarked_home_is_claimed_only_when_the_database_names_its_files(database: Path) -> None:
    """The home is from a version that did not mark homes, and DATABASE_URL was changed with the upgrade."""
    path = Store(get_settings().artifacts).path(Store(get_settings().artifacts).put_bytes(b"named elsewhere"))
    make_old(path)
    garbage.sweep()
    assert path.exists()
    assert not (database / home.IDENTITY_FILE).exists()
    job_with_every_trace()
    garbage.sweep()
    assert (database / home.IDENTITY_FILE).exists(), "now the database names files of this home"
    assert not path.exists()


def test_sweep_keeps_folders_that_are_not_named_as_jobs(database: Path) -> None:
    job_with_every_trace()
    backup, odd = (get_settings().checkpoints(name) for name in ("backup-of-monday", "-x"))
    for folder in (backup, odd):
        folder.mkdir()
    make_old(backup, odd)
    garbage.sweep()
    assert backup.exists()
    assert odd.exists()


def test_sweep_deletes_exported_files_whose_version_is_gone_or_that_nobody_requested_for_long(database: Path) -> None:
    job_with_every_trace()
    exported, sha256 = get_settings().exported, registry.versions()[0].export_sha256
    ages = {
        f"{sha256}-onnx": garbage.GRACE_S + 60,
        f"{sha256}-torch_export": portable.UNUSED_S + 60,
        "0" * 64 + "-onnx": garbage.GRACE_S + 60,
        "1" * 64 + "-onnx": 60,
        ".unfinished-a": garbage.GRACE_S + 60,
        ".unfinished-b": 60,
    }
    for name, age in ages.items():
        (exported / name).mkdir(parents=True)
        (exported / name / "report.json").write_bytes(b"{}")
        used = file_system_time(exported) - age
        os.utime(exported / name, (used, used))
    garbage.sweep()
    assert {path.name for path in exported.iterdir()} == {f"{sha256}-onnx", "1" * 64 + "-onnx", ".unfinished-b"}
