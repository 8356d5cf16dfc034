"""Supervisor, runner and Celery worker together: every way an attempt can end, and every way the worker can."""

import re
import signal
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from app.core.settings import get_settings
from app.services.jobs import attempts, lifecycle
from app.services.views import EventView, JobView
from forger.wire import TERMINAL, JobState
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, running_redis, running_worker, suspend, until_state, until_step, worker_log

S = JobState
LONG = 100_000
"""Steps that no test waits for."""
STATUS = {signal.SIGTERM: 0, signal.SIGQUIT: 0, signal.SIGINT: 1}
"""Celery's own exit statuses after a warm shutdown."""


def long_job() -> JobView:
    return make_job(steps=LONG, checkpoint_every=5, report_every=50, batch_size=8)


def runner_of(worker: Process) -> psutil.Process:
    def seen() -> psutil.Process | None:
        children = psutil.Process(worker.pid).children()
        return next((child for child in children if "worker.runners.main" in child.cmdline()), None)

    found = until(seen)
    assert found is not None
    return found


def told(job_id: str, type_: str) -> list[EventView]:
    return [event for event in lifecycle.events(job_id, limit=10_000) if event.type == type_]


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


once = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
"""for what does not depend on the database: signals, the broker, the runner's own failures"""


def test_a_job_trains_to_its_end(broker: Process) -> None:
    job = make_job(steps=12, checkpoint_every=5, report_every=3)
    with running_worker():
        done = until_state(job.id, *TERMINAL)
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
    assert len(list(folder.iterdir())) == 3, "three checkpoints, no export left behind"


def test_a_killed_runner_is_replaced_at_once_and_the_job_rewound(broker: Process) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 12)
        runner_of(worker).kill()
        until(lambda: lifecycle.get(job.id).attempt == 2)
        rewound = until(lambda: told(job.id, "rewound"))
        assert rewound[0].data["to_step"] % 5 == 0
        reasons = [event.data.get("reason") for event in told(job.id, "state")]
        assert "killed (signal 9)" in str(reasons[2])


def test_pause_saves_and_resume_goes_on_from_there(broker: Process) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 7)
        runner = runner_of(worker)
        assert lifecycle.pause(job.id).state == S.PAUSING
        paused = until_state(job.id, S.PAUSED)
        until(lambda: gone(runner))
        assert lifecycle.checkpoints(job.id)[0].step == paused.step
        lifecycle.resume(job.id)
        until_step(job.id, paused.step + 1)


def test_cancel_frees_the_device(broker: Process) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 3)
        runner = runner_of(worker)
        assert lifecycle.cancel(job.id).state == S.CANCELLING
        until_state(job.id, S.CANCELLED)
        until(lambda: gone(runner))


@once
def test_a_runner_that_ignores_a_cancel_is_killed_after_a_grace(broker: Process) -> None:
    job = long_job()
    with running_worker(FORGER_CANCEL_GRACE_S="0.5") as worker:
        until_step(job.id, 3)
        runner = runner_of(worker)
        suspend(runner)
        lifecycle.cancel(job.id)
        until_state(job.id, S.CANCELLED)
        until(lambda: gone(runner))


@once
def test_a_silent_runner_is_killed_and_the_job_tried_again(broker: Process) -> None:
    job = long_job()
    with running_worker(FORGER_SILENCE_S="10") as worker:
        until_step(job.id, 3)
        suspend(runner_of(worker))
        until(lambda: lifecycle.get(job.id).attempt == 2)
    reasons = [event.data["reason"]["code"] for event in told(job.id, "state") if "reason" in event.data]
    assert reasons == ["no_heartbeat"]


@once
@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", STATUS)
def test_a_stopping_worker_saves_and_gives_the_job_back(broker: Process, number: signal.Signals) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 7)
        worker.send_signal(number)
        assert worker.wait(60) == STATUS[number]
        left = lifecycle.get(job.id)
        assert left.state == S.QUEUED
        assert left.status_reason is None
        assert lifecycle.checkpoints(job.id)[0].step == left.step
    with running_worker():
        until_step(job.id, left.step + 1)
        assert lifecycle.get(job.id).attempt == 2


@once
@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_stops_though_the_broker_is_dead_or_hung(
    broker: Process, blow: signal.Signals, number: signal.Signals
) -> None:
    job = long_job()
    with running_worker(FORGER_STOP_GRACE_S="8") as worker:
        until_step(job.id, 3)
        broker.send_signal(blow)
        worker.send_signal(number)
        assert worker.wait(60) == STATUS[number]
    assert lifecycle.get(job.id).state == S.QUEUED


@pytest.mark.processes
@once
def test_a_worker_without_any_broker_stops_too(database: Path) -> None:
    with running_worker(FORGER_STOP_GRACE_S="1") as worker:
        until(lambda: "Cannot connect" in worker_log().read_text())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0


def test_no_runner_outlives_a_killed_worker_and_the_next_one_takes_over(broker: Process) -> None:
    job = long_job()
    with running_worker() as worker:
        until_step(job.id, 7)
        runner = runner_of(worker)
        worker.kill()
        until(lambda: gone(runner), within_s=10)
    with running_worker():
        until(lambda: lifecycle.get(job.id).attempt == 2)
        until_step(job.id, 1)


@pytest.mark.processes
def test_a_job_made_while_the_broker_is_dead_is_rung_later(database: Path) -> None:
    job = make_job(steps=5)
    with running_worker(FORGER_RING_INTERVAL_S="1"), running_redis():
        assert until_state(job.id, *TERMINAL).state == S.SUCCEEDED


def test_waiting_jobs_train_one_after_the_other(broker: Process) -> None:
    made = [make_job("gan", "ring8", steps=3) for _ in range(3)]
    with running_worker():
        ended = [until_state(job.id, *TERMINAL) for job in made]
    assert [job.state for job in ended] == [S.SUCCEEDED] * 3
    spans = [(job.started_at or 0, job.finished_at or 0) for job in ended]
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_a_damaged_checkpoint_is_passed_over_and_told(broker: Process) -> None:
    job = long_job()
    with running_worker():
        until_step(job.id, 12)
        lifecycle.pause(job.id)
        until_state(job.id, S.PAUSED)
        newest, before, *_ = lifecycle.checkpoints(job.id)
        (get_settings().checkpoints(job.id) / newest.file).write_bytes(b"half a checkpoint")
        lifecycle.resume(job.id)
        until(lambda: told(job.id, "rewound"))
    health, rewound = told(job.id, "health")[0], told(job.id, "rewound")[0]
    assert health.seq < rewound.seq
    assert health.data["step"] == newest.step
    assert "missing or damaged" in health.data["message"]
    assert rewound.data == {"to_step": before.step}


@once
def test_a_missing_dataset_fails_with_what_to_do(broker: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("dcgan", "mnist", steps=5)
    with running_worker(FORGER_DATA=str(get_settings().home / "nowhere"), **_offline()):
        failed = until_state(job.id, *TERMINAL)
    assert failed.status_reason is not None
    assert (failed.state, failed.status_reason.code) == (S.FAILED, "dataset_missing")


@once
def test_a_loss_that_is_not_finite_fails_with_step_and_examples(broker: Process) -> None:
    wild = {"kind": "sgd", "rate": 10.0, "momentum": 0.9}
    job = make_job("lsgan", steps=50, generator_optimizer=wild, critic_optimizer=wild, checkpoint_every=50)
    with running_worker():
        failed = until_state(job.id, *TERMINAL)
    assert failed.status_reason is not None
    assert (failed.state, failed.status_reason.code) == (S.FAILED, "non_finite_loss")
    assert re.search(r"step \d+", failed.status_reason.message)
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job.id)] == [0], "the last good one stays"


@once
def test_numerics_of_another_machine_are_told(broker: Process) -> None:
    job = make_job(steps=5)
    assert attempts.claim(job.id, "another machine") is not None
    elsewhere = {"device": "cpu", "capability": "ABACUS", "threads": 1, "precision": "fp32", "torch": "0.1"}
    attempts.agree_numerics(job.id, 1, {**elsewhere, "deterministic": True})
    attempts.stop(job.id, 1)
    with running_worker():
        assert until_state(job.id, *TERMINAL).state == S.SUCCEEDED
    (lost,) = told(job.id, "exactness_lost")
    assert "ABACUS" in lost.data["reason"]


def test_a_hung_worker_is_fenced_out(broker: Process) -> None:
    """Supervisor and runner sleep past their lease; another worker trains on; they wake and must leave."""
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
            until(lambda: gone(runner))
            assert lifecycle.get(job.id).attempt == 2
            assert lifecycle.get(job.id).state == S.RUNNING


def _offline() -> dict[str, str]:
    """A proxy that nobody answers at, so that no test reaches for the network."""
    return {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
