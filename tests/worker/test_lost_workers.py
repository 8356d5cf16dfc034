"""What a job keeps when its worker dies: its place in the queue, its numerics, its right to be tried again."""

import signal
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core import owner
from app.core.settings import get_settings
from app.services.creation import evaluate
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.checkpoints import checkpoint_of
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, running_worker, until_state, until_step
from tests.worker.test_worker import once, runner_of, told
from worker.runners.supervisor_link import EXIT_DATABASE_LOST
from worker.supervisor import Attempt

S = JobState
LEASE = {"FORGER_LEASE_S": "600"}
"""beyond any test: what is freed was freed because its owner was seen to be gone"""
DEATHS = attempts.MAX_RUNNER_LOSSES


def test_a_job_whose_runner_or_worker_was_killed_goes_on_before_all_that_wait(broker: Process) -> None:
    first = make_job("gan", "ring8", steps=1_000_000, report_every=100_000, checkpoint_every=100)
    with running_worker(**LEASE) as worker:
        until_step(first.id, 1)
        waiting = [make_job("gan", "ring8", steps=3).id for _ in range(3)]
        runner_of(worker).kill()
        goes_on(first.id, 2)
        worker.kill()
    with running_worker(**LEASE) as worker:
        goes_on(first.id, 3)
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
        assert [lifecycle.get(job_id).queue_position for job_id in (first.id, *waiting)] == [1, 2, 3, 4]
    with running_worker(**LEASE):
        goes_on(first.id, 4)
    assert [lifecycle.get(job_id).attempt for job_id in waiting] == [0, 0, 0]


@pytest.mark.long
@once
def test_an_evaluation_survives_its_workers_and_comes_out_as_it_began(broker: Process) -> None:
    checkpoint = checkpoint_of("cdcgan", "digits", generator={"width": 4}, critic={"width": 4})
    unbroken = evaluation(checkpoint)
    with running_worker(**LEASE):
        wanted = until_state(unbroken.id, *TERMINAL)
    killed = evaluation(checkpoint)
    for attempt in range(1, DEATHS + 1):
        with running_worker(**LEASE) as worker:
            until(partial(has_begun, killed.id, attempt))
            worker.kill()
    with running_worker(FORGER_THREADS="2", **LEASE):
        done = until_state(killed.id, *TERMINAL)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.attempt > DEATHS
    assert (done.numerics or {})["threads"] == 1
    assert done.result == wanted.result
    assert told(killed.id, "exactness_lost") == []


def goes_on(job_id: str, attempt: int) -> None:
    until(lambda: lifecycle.get(job_id).attempt == attempt)
    until_step(job_id, 1)


def has_begun(job_id: str, attempt: int) -> bool:
    job = lifecycle.get(job_id)
    return job.attempt == attempt and job.numerics is not None


def evaluation(checkpoint: str) -> JobView:
    asked: dict[str, Any] = {"model": None, "n": 200, "features": "own", "seed": 3, "figures": ["frechet"]}
    return lifecycle.create(evaluate.plan(checkpoint=checkpoint, **asked))


@pytest.mark.processes
@once
def test_a_runner_that_lost_the_database_is_not_blamed(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, settings = make_job("gan", "ring8"), get_settings()
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")  # as the runners see it
    for fence in range(1, DEATHS + 1):
        claim = attempts.claim(job.id, owner.this_process())
        assert claim is not None
        Attempt(claim, settings, threading.Event()).run()
        assert lifecycle.get(job.id).attempt == fence
    assert lifecycle.get(job.id).state == S.QUEUED
    reasons = [event.data["reason"]["message"] for event in told(job.id, "state") if "reason" in event.data]
    assert len(reasons) == DEATHS
    assert all(f"status {EXIT_DATABASE_LOST}" in reason for reason in reasons)
