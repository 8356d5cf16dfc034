"""Expired leases are freed and waiting jobs rung for, by any number of reapers, once each."""

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

NAMED = "from app.core import owner; print(owner.this_process())"
LOSSES: tuple[Callable[[str, int], object], ...] = (
    lambda job_id, fence: attempts.record_runner_loss(job_id, fence, "worker_lost", "The runner died."),
    lambda job_id, fence: attempts.record_worker_loss(job_id, fence, "worker_lost", "The worker died."),
)


def test_a_reaper_sweeps_when_it_starts(database: Path) -> None:
    assert home.is_ours(), "an empty home is taken"
    orphan = get_settings().checkpoints(new_id("job"))
    orphan.mkdir(parents=True)
    os.utime(orphan, (0, 0))
    reaper = Reaper().start()
    until(lambda: not orphan.exists())
    reaper.stop()


def test_a_live_lease_is_left_alone(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    reap()
    assert lifecycle.get(job.id).state == JobState.RUNNING


def test_an_expired_lease_is_freed_with_its_reason(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    reap()
    freed = lifecycle.get(job.id)
    assert freed.state == JobState.QUEUED
    assert freed.status_reason is not None
    assert freed.status_reason.code == "worker_lost"


def test_many_reapers_free_a_job_once(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    barrier = threading.Barrier(8)

    def one(_: int) -> None:
        barrier.wait()
        reap()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    assert [event.data["state"] for event in lifecycle.events(job.id)] == ["queued", "running", "queued"]


def test_a_lease_renewed_in_time_is_not_freed(database: Path) -> None:
    """The reaper has read it as expired; the owner renews; only then does the reaper write."""
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    with unit_of_work(read_only=True) as session:
        (attempt,) = rows.active_attempts(session)
    attempts.renew(job.id, 1, 0, None)
    from app.services.system.reaper import _free_attempt

    _free_attempt(attempt, "It stopped answering.")
    assert lifecycle.get(job.id).state == JobState.RUNNING


def test_a_waiting_job_is_rung_by_one_process_per_interval(database: Path) -> None:
    job = make_job()
    with unit_of_work() as session:
        assert list(rows.due_for_ring(session, TRAIN, 5.0, 16)) == [], "it was rung when it was made"
        assert list(rows.due_for_ring(session, TRAIN, 0.0, 16)) == [job.id]
        assert list(rows.due_for_ring(session, EVALUATE, 0.0, 16)) == []
        assert list(rows.due_for_ring(session, TRAIN, 5.0, 16)) == []


def test_the_longest_waiting_are_rung_first(database: Path) -> None:
    made = [make_job().id for _ in range(4)]
    with unit_of_work() as session:
        assert list(rows.due_for_ring(session, TRAIN, 0.0, 2)) == made[:2]


def test_an_attempt_of_a_process_of_this_machine_that_ended_is_freed_before_its_lease_ends(database: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", NAMED], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    names = {
        "ended": dead.stdout.strip(),
        "alive": owner.this_process(),
        "elsewhere": "host/other-boot/1/1",
        "old": "host:1",
    }
    held = {name: make_job().id for name in names}
    for name, job_id in held.items():
        assert attempts.claim(job_id, names[name]) is not None
    reap()
    states = {name: lifecycle.get(job_id).state for name, job_id in held.items()}
    assert states == dict.fromkeys(names, JobState.RUNNING) | {"ended": JobState.QUEUED}


def test_a_lost_job_stands_before_all_that_was_queued_after_it(database: Path) -> None:
    first, second, third = (make_job().id for _ in range(3))
    for fence, lose in enumerate((attempts.stop, *LOSSES), 1):
        assert attempts.claim(first, "tests") is not None
        lose(first, fence)
        assert [lifecycle.get(job_id).queue_position for job_id in (first, second, third)] == [1, 2, 3]
        assert lifecycle.oldest_queued(TRAIN) == first
        with unit_of_work() as session:
            assert list(rows.due_for_ring(session, TRAIN, 0.0, 16)) == [first, second, third]


@pytest.mark.parametrize("how", ["resumed", "extended"])
def test_a_job_that_a_person_queues_again_stands_behind_all_that_wait(database: Path, how: str) -> None:
    job = make_job()
    if how == "resumed":
        put_in(JobState.PAUSED, job.id)
    else:
        put_in(JobState.RUNNING, job.id)
        write_checkpoint(job.id, 20)
        attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    waiting = make_job()
    lifecycle.resume(job.id) if how == "resumed" else lifecycle.extend(job.id, 5)
    assert [lifecycle.get(job_id).queue_position for job_id in (waiting.id, job.id)] == [1, 2]


def test_the_thread_frees_by_itself_and_stops(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    reaper = Reaper().start()
    until(lambda: lifecycle.get(job.id).state == JobState.QUEUED, within_s=20)
    reaper.stop()
    assert all(thread.name != "reaper" for thread in threading.enumerate())
