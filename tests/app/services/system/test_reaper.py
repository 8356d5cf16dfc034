"""The reaper frees expired leases and rings queued jobs, once each for any number of reapers."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.core import owner
from app.core.ids import new_id
from app.core.settings import CHECKOUT, get_settings
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services.jobs import attempts, lifecycle
from app.services.system import home
from app.services.system.reaper import Reaper, reap
from forger.wire import EVALUATE, TRAIN, JobState
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import expire, export_file, make_job, put_in
from tests.support.wait import until

PRINT_OWNER = "from app.core import owner; print(owner.this_process())"
LOSSES: tuple[Callable[[str, int], object], ...] = (
    lambda job_id, fence: attempts.record_runner_loss(job_id, fence, "worker_lost", "The runner died."),
    lambda job_id, fence: attempts.record_worker_loss(job_id, fence, "worker_lost", "The worker died."),
)


def test_reaper_sweeps_when_it_starts(database: Path) -> None:
    assert home.is_ours(), "an empty home is claimed"
    orphan = get_settings().checkpoints(new_id("job"))
    orphan.mkdir(parents=True)
    os.utime(orphan, (0, 0))
    reaper = Reaper().start()
    until(lambda: not orphan.exists())
    reaper.stop()


def test_live_lease_is_not_freed(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    reap()
    assert lifecycle.get(job.id).state == JobState.RUNNING


def test_expired_lease_is_freed_with_its_reason(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    reap()
    freed = lifecycle.get(job.id)
    assert freed.state == JobState.QUEUED
    assert freed.status_reason is not None
    assert freed.status_reason.code == "worker_lost"


def test_concurrent_reapers_free_a_job_once(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    barrier = threading.Barrier(8)

    def reap_together(_: int) -> None:
        barrier.wait()
        reap()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(reap_together, range(8)))
    assert [event.data["state"] for event in lifecycle.events(job.id)] == ["queued", "running", "queued"]


def test_lease_renewed_before_the_reaper_writes_is_not_freed(database: Path) -> None:
    """The reaper reads the lease as expired, the owner renews it, and only then the reaper writes."""
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    with unit_of_work(read_only=True) as session:
        (attempt,) = rows.active_attempts(session)
    attempts.renew(job.id, 1, 0, None)
    from app.services.system.reaper import _free_attempt

    _free_attempt(attempt, "It stopped answering.")
    assert lifecycle.get(job.id).state == JobState.RUNNING


def test_queued_job_is_rung_once_per_interval(database: Path) -> None:
    job = make_job()
    with unit_of_work() as session:
        assert list(rows.due_for_ring(session, TRAIN, 5.0, 16)) == [], "it was rung when it was created"
        assert list(rows.due_for_ring(session, TRAIN, 0.0, 16)) == [job.id]
        assert list(rows.due_for_ring(session, EVALUATE, 0.0, 16)) == []
        assert list(rows.due_for_ring(session, TRAIN, 5.0, 16)) == []


def test_oldest_queued_jobs_are_rung_first(database: Path) -> None:
    created = [make_job().id for _ in range(4)]
    with unit_of_work() as session:
        assert list(rows.due_for_ring(session, TRAIN, 0.0, 2)) == created[:2]


def test_attempt_of_an_ended_local_process_is_freed_at_once(database: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", PRINT_OWNER], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    owners = {
        "ended": dead.stdout.strip(),
        "alive": owner.this_process(),
        "elsewhere": "host/other-boot/1/1",
        "old": "host:1",
    }
    job_ids = {owner_kind: make_job().id for owner_kind in owners}
    for owner_kind, job_id in job_ids.items():
        assert attempts.claim(job_id, owners[owner_kind]) is not None
    reap()
    states = {owner_kind: lifecycle.get(job_id).state for owner_kind, job_id in job_ids.items()}
    assert states == dict.fromkeys(owners, JobState.RUNNING) | {"ended": JobState.QUEUED}


def test_lost_job_keeps_its_place_in_the_queue(database: Path) -> None:
    first, second, third = (make_job().id for _ in range(3))
    for fence, lose in enumerate((attempts.stop, *LOSSES), 1):
        assert attempts.claim(first, "tests") is not None
        lose(first, fence)
        assert [lifecycle.get(job_id).queue_position for job_id in (first, second, third)] == [1, 2, 3]
        assert lifecycle.oldest_queued(TRAIN) == first
        with unit_of_work() as session:
            assert list(rows.due_for_ring(session, TRAIN, 0.0, 16)) == [first, second, third]


@pytest.mark.parametrize("action", ["resumed", "extended"])
def test_resumed_or_extended_job_goes_to_the_end_of_the_queue(database: Path, action: str) -> None:
    job = make_job()
    if action == "resumed":
        put_in(JobState.PAUSED, job.id)
    else:
        put_in(JobState.RUNNING, job.id)
        write_checkpoint(job.id, 20)
        attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    waiting = make_job()
    lifecycle.resume(job.id) if action == "resumed" else lifecycle.extend(job.id, 5)
    assert [lifecycle.get(job_id).queue_position for job_id in (waiting.id, job.id)] == [1, 2]


def test_reaper_thread_frees_leases_and_stops(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    reaper = Reaper().start()
    until(lambda: lifecycle.get(job.id).state == JobState.QUEUED, within_s=20)
    reaper.stop()
    assert all(thread.name != "reaper" for thread in threading.enumerate())
