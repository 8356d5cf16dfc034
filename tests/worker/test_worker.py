"""Supervisor, runner and Celery worker together: every way in which an attempt or a worker can end."""

import re
import signal
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from app.core.settings import get_settings
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.databases import sqlite_only
from tests.support.jobs import events_of, make_job
from tests.support.processes import all_ended
from tests.support.wait import until
from tests.support.worker import (
    Process,
    runner_of,
    running_redis,
    running_worker,
    suspend,
    until_state,
    until_step,
    worker_log,
)

S = JobState
LONG = 100_000
"""so many steps that no test waits for their end"""
EXIT_STATUS = {signal.SIGTERM: 0, signal.SIGQUIT: 0, signal.SIGINT: 1}
"""Celery's exit statuses after a warm shutdown"""


def long_job() -> JobView:
    return make_job(steps=LONG, checkpoint_every=5, report_every=50, batch_size=8)


def test_job_trains_to_its_end_with_checkpoints_metrics_and_samples(broker: Process) -> None:
    job = make_job(steps=12, checkpoint_every=5, report_every=3)
    with running_worker() as worker:
        runner = runner_of(worker)
        done = until_state(job.id, *TERMINAL)
        until(lambda: all_ended([runner]))  # it removes the folder of the export after the job has succeeded
    assert done.state == S.SUCCEEDED, done.status_reason
    assert (done.step, done.attempt) == (12, 1)
    assert done.result is not None
    assert done.numerics is not None
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job.id)] == [12, 10, 5]
    assert {step for curve, _ in lifecycle.metrics(job.id).values() for step, _ in curve} == {3, 6, 9, 12}
    assert len(lifecycle.artifacts(job.id, "sample")) == 4
    assert [probe.step for probe in lifecycle.artifacts(job.id, "probe")] == [
        sample.step for sample in lifecycle.artifacts(job.id, "sample")
    ]
    assert "rewound" not in {event.type for event in lifecycle.events(job.id)}
    folder = get_settings().checkpoints(job.id)
    assert len(list(folder.iterdir())) == 3, "three checkpoints, and no export"


def test_killed_runner_is_replaced_and_the_job_rewound_to_its_checkpoint(broker: Process) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 12)
        runner_of(worker).kill()
        until(lambda: lifecycle.get(job.id).attempt == 2)
        rewound = until(lambda: events_of(job.id, "rewound"))
        assert rewound[0].data["to_step"] % 5 == 0
        reasons = [event.data.get("reason") for event in events_of(job.id, "state")]
        assert "killed (signal 9)" in str(reasons[2])


def test_pause_saves_a_checkpoint_and_resume_continues_from_it(broker: Process) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 7)
        runner = runner_of(worker)
        assert lifecycle.pause(job.id).state == S.PAUSING
        paused = until_state(job.id, S.PAUSED)
        until(lambda: all_ended([runner]))
        assert lifecycle.checkpoints(job.id)[0].step == paused.step
        lifecycle.resume(job.id)
        until_step(job.id, paused.step + 1)


def test_cancel_ends_the_runner(broker: Process) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 3)
        runner = runner_of(worker)
        assert lifecycle.cancel(job.id).state == S.CANCELLING
        until_state(job.id, S.CANCELLED)
        until(lambda: all_ended([runner]))


@sqlite_only
def test_runner_that_ignores_a_cancel_is_killed_after_a_grace_period(broker: Process) -> None:
    job = long_job()
    with running_worker(FORGER_CANCEL_GRACE_S="0.5") as worker:
        until_step(job.id, 3)
        runner = runner_of(worker)
        suspend(runner)
        lifecycle.cancel(job.id)
        until_state(job.id, S.CANCELLED)
        until(lambda: all_ended([runner]))


@sqlite_only
def test_runner_without_heartbeats_is_killed_and_the_job_tried_again(broker: Process) -> None:
    job = long_job()
    with running_worker(FORGER_SILENCE_S="10") as worker:
        until_step(job.id, 3)
        suspend(runner_of(worker))
        until(lambda: lifecycle.get(job.id).attempt == 2)
    reasons = [event.data["reason"]["code"] for event in events_of(job.id, "state") if "reason" in event.data]
    assert reasons == ["no_heartbeat"]


@sqlite_only
@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", EXIT_STATUS)
def test_worker_that_is_stopped_saves_and_releases_its_job(broker: Process, number: signal.Signals) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 7)
        worker.send_signal(number)
        assert worker.wait(60) == EXIT_STATUS[number]
        released = lifecycle.get(job.id)
        assert released.state == S.QUEUED
        assert released.status_reason is None
        assert lifecycle.checkpoints(job.id)[0].step == released.step
    with running_worker():
        until_step(job.id, released.step + 1)
        assert lifecycle.get(job.id).attempt == 2


@sqlite_only
@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("broker_signal", [signal.SIGKILL, signal.SIGSTOP])
def test_worker_stops_while_the_broker_is_dead_or_suspended(
    broker: Process, broker_signal: signal.Signals, number: signal.Signals
) -> None:
    job = long_job()
    with running_worker(FORGER_STOP_GRACE_S="8") as worker:
        until_step(job.id, 3)
        broker.send_signal(broker_signal)
        worker.send_signal(number)
        assert worker.wait(60) == EXIT_STATUS[number]
    assert lifecycle.get(job.id).state == S.QUEUED


@pytest.mark.processes
@sqlite_only
def test_worker_that_never_reached_a_broker_stops(database: Path) -> None:
    with running_worker(FORGER_STOP_GRACE_S="1") as worker:
        until(lambda: "Cannot connect" in worker_log().read_text())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0


def test_runner_ends_with_its_killed_worker_and_the_next_worker_takes_over(broker: Process) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 7)
        runner = runner_of(worker)
        worker.kill()
        until(lambda: all_ended([runner]), within_s=10)
    with running_worker():
        until(lambda: lifecycle.get(job.id).attempt == 2)
        until_step(job.id, 1)


@pytest.mark.processes
def test_job_created_without_a_broker_is_rung_once_there_is_one(database: Path) -> None:
    job = make_job(steps=5)
    with running_worker(FORGER_RING_INTERVAL_S="1"), running_redis():
        assert until_state(job.id, *TERMINAL).state == S.SUCCEEDED


def test_queued_jobs_train_one_after_another(broker: Process) -> None:
    jobs = [make_job("gan", "ring8", steps=3) for _ in range(3)]
    with running_worker():
        ended = [until_state(job.id, *TERMINAL) for job in jobs]
    assert [job.state for job in ended] == [S.SUCCEEDED] * 3
    spans = [(job.started_at or 0, job.finished_at or 0) for job in ended]
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_damaged_checkpoint_is_reported_and_the_previous_one_is_used(broker: Process) -> None:
    job = long_job()
    with running_worker():
        until_step(job.id, 12)
        lifecycle.pause(job.id)
        until_state(job.id, S.PAUSED)
        newest, previous, *_ = lifecycle.checkpoints(job.id)
        (get_settings().checkpoints(job.id) / newest.file).write_bytes(b"half a checkpoint")
        lifecycle.resume(job.id)
        until(lambda: events_of(job.id, "rewound"))
    health, rewound = events_of(job.id, "health")[0], events_of(job.id, "rewound")[0]
    assert health.seq < rewound.seq
    assert health.data["step"] == newest.step
    assert "missing or damaged" in health.data["message"]
    assert rewound.data == {"to_step": previous.step}


@sqlite_only
def test_job_on_a_missing_dataset_fails(broker: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("dcgan", "mnist", steps=5)
    with running_worker(FORGER_DATA=str(get_settings().home / "nowhere"), **_offline()):
        failed = until_state(job.id, *TERMINAL)
    assert failed.status_reason is not None
    assert (failed.state, failed.status_reason.code) == (S.FAILED, "dataset_missing")


@sqlite_only
def test_non_finite_loss_fails_the_job_and_names_the_step(broker: Process) -> None:
    diverging = {"kind": "sgd", "rate": 10.0, "momentum": 0.9}
    job = make_job("lsgan", steps=50, generator_optimizer=diverging, critic_optimizer=diverging, checkpoint_every=50)
    with running_worker():
        failed = until_state(job.id, *TERMINAL)
    assert failed.status_reason is not None
    assert (failed.state, failed.status_reason.code) == (S.FAILED, "non_finite_loss")
    assert re.search(r"step \d+", failed.status_reason.message)
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job.id)] == [0], "the last good checkpoint stays"


@sqlite_only
def test_job_from_a_machine_with_other_numerics_reports_lost_exactness(broker: Process) -> None:
    job = make_job(steps=5)
    assert attempts.claim(job.id, "another machine") is not None
    elsewhere = {"device": "cpu", "capability": "ABACUS", "threads": 1, "precision": "fp32", "torch": "0.1"}
    attempts.agree_numerics(job.id, 1, {**elsewhere, "deterministic": True})
    attempts.stop(job.id, 1)
    with running_worker():
        assert until_state(job.id, *TERMINAL).state == S.SUCCEEDED
    (lost,) = events_of(job.id, "exactness_lost")
    assert "ABACUS" in lost.data["reason"]


def test_suspended_worker_that_wakes_after_its_lease_is_fenced_out(broker: Process) -> None:
    """Supervisor and runner sleep past their lease while another worker continues; awake again, they must end."""
    job = long_job()
    with running_worker() as sleeper:
        until_step(job.id, 7)
        runner = runner_of(sleeper)
        suspend(runner, psutil.Process(sleeper.pid))
        with running_worker():
            until(lambda: lifecycle.get(job.id).attempt == 2)
            until_step(job.id, 7)
            runner.resume()
            sleeper.send_signal(signal.SIGCONT)
            until(lambda: all_ended([runner]))
            assert lifecycle.get(job.id).attempt == 2
            assert lifecycle.get(job.id).state == S.RUNNING


def _offline() -> dict[str, str]:
    """Return a proxy at which nothing answers, so that no test uses the network."""
    return {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
