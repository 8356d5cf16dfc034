"""Jobs of workers that die: they keep their place in the queue, their numerics and their right to be tried again."""

import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from app.core import owner
from app.core.settings import get_settings
from app.services.jobs import attempts, lifecycle
from forger.wire import TERMINAL, JobState
from tests.support.checkpoints import checkpoint_of
from tests.support.databases import sqlite_only
from tests.support.jobs import events_of, make_job
from tests.support.model_jobs import make_evaluation
from tests.support.wait import until
from tests.support.worker import Process, runner_of, running_worker, until_state, until_step
from worker.runners.supervisor_link import EXIT_DATABASE_LOST
from worker.supervisor import Attempt

S = JobState
LEASE = {"FORGER_LEASE_S": "600"}
"""longer than any test: a job is released because its owner has died, not because its lease ended"""
DEATHS = attempts.MAX_RUNNER_LOSSES


def test_job_whose_runner_or_worker_was_killed_resumes_before_all_queued_jobs(broker: Process) -> None:
    first = make_job("gan", "ring8", steps=1_000_000, report_every=100_000, checkpoint_every=100)
    with running_worker(**LEASE) as worker:
        until_step(first.id, 1)
        waiting = [make_job("gan", "ring8", steps=3).id for _ in range(3)]
        runner_of(worker).kill()
        until_running_again(first.id, 2)
        worker.kill()
    with running_worker(**LEASE) as worker:
        until_running_again(first.id, 3)
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
        assert [lifecycle.get(job_id).queue_position for job_id in (first.id, *waiting)] == [1, 2, 3, 4]
    with running_worker(**LEASE):
        until_running_again(first.id, 4)
    assert [lifecycle.get(job_id).attempt for job_id in waiting] == [0, 0, 0]


@pytest.mark.long
@sqlite_only
def test_evaluation_whose_workers_die_ends_with_the_figures_of_an_uninterrupted_one(broker: Process) -> None:
    checkpoint = checkpoint_of("cdcgan", "digits", generator={"width": 4}, critic={"width": 4})
    unbroken = make_evaluation(checkpoint=checkpoint, figures=["frechet"])
    with running_worker(**LEASE):
        expected = until_state(unbroken.id, *TERMINAL)
    killed = make_evaluation(checkpoint=checkpoint, figures=["frechet"])
    for attempt in range(1, DEATHS + 1):
        with running_worker(**LEASE) as worker:
            until(partial(has_numerics, killed.id, attempt))
            worker.kill()
    with running_worker(FORGER_THREADS="2", **LEASE):
        done = until_state(killed.id, *TERMINAL)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.attempt > DEATHS
    assert (done.numerics or {})["threads"] == 1
    assert done.result == expected.result
    assert events_of(killed.id, "exactness_lost") == []


def until_running_again(job_id: str, attempt: int) -> None:
    until(lambda: lifecycle.get(job_id).attempt == attempt)
    until_step(job_id, 1)


def has_numerics(job_id: str, attempt: int) -> bool:
    job = lifecycle.get(job_id)
    return job.attempt == attempt and job.numerics is not None


@pytest.mark.processes
@sqlite_only
def test_job_of_runners_that_lose_the_database_stays_queued(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, settings = make_job("gan", "ring8"), get_settings()
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")  # for the runners
    for fence in range(1, DEATHS + 1):
        claim = attempts.claim(job.id, owner.this_process())
        assert claim is not None
        Attempt(claim, settings, threading.Event()).run()
        assert lifecycle.get(job.id).attempt == fence
    assert lifecycle.get(job.id).state == S.QUEUED
    reasons = [event.data["reason"]["message"] for event in events_of(job.id, "state") if "reason" in event.data]
    assert len(reasons) == DEATHS
    assert all(f"status {EXIT_DATABASE_LOST}" in reason for reason in reasons)
