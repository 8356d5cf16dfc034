"""Expired leases are freed and waiting jobs rung for, by any number of reapers, once each."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.core.ids import new_id
from app.core.names import EVALUATE, TRAIN
from app.core.settings import get_settings
from app.core.states import JobState
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import attempts, home, jobs
from app.services.reaper import Reaper, reap
from tests.support.jobs import expire, make_job
from tests.support.wait import until


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
    assert jobs.get(job.id).state == JobState.RUNNING


def test_an_expired_lease_is_freed_with_its_reason(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    reap()
    freed = jobs.get(job.id)
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
    assert [event.data["state"] for event in jobs.events(job.id)] == ["queued", "running", "queued"]


def test_a_lease_renewed_in_time_is_not_freed(database: Path) -> None:
    """The reaper has read it as expired; the owner renews; only then does the reaper write."""
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    with unit_of_work(read_only=True) as session:
        ((job_id, kind, fence),) = rows.expired(session)
    attempts.renew(job.id, 1, 0, None)
    from app.services.reaper import _free

    _free(job_id, kind, fence)
    assert jobs.get(job.id).state == JobState.RUNNING


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


def test_the_thread_frees_by_itself_and_stops(database: Path) -> None:
    job = make_job()
    attempts.claim(job.id, "tests")
    expire(job.id)
    reaper = Reaper().start()
    until(lambda: jobs.get(job.id).state == JobState.QUEUED, within_s=20)
    reaper.stop()
    assert all(thread.name != "reaper" for thread in threading.enumerate())
