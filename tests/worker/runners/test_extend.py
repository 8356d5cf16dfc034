"""A training that goes on after its end, with real workers."""

from typing import Any

import psutil
import pytest

from app.services.jobs import lifecycle
from app.services.models import registry
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from models.spec.watch import METRICS
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, running_worker, until_state

FAST: dict[str, Any] = {"checkpoint_every": 100, "report_every": 400, "schedule": {"kind": "linear"}, "watch": None}


def finished(job: JobView) -> JobView:
    done = until_state(job.id, *TERMINAL)
    assert done.state == JobState.SUCCEEDED, done.status_reason
    return done


def kill_runner(worker: Process, job_id: str) -> None:
    for child in psutil.Process(worker.pid).children():
        if job_id in child.cmdline():
            child.kill()


@pytest.mark.long
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_an_extension_that_is_killed_gives_the_same_bytes(broker: Process) -> None:
    made = [make_job("gan", "ring8", steps=20, **FAST) for _ in range(2)]
    with running_worker(FORGER_SLOTS="2") as worker:
        first = [finished(job) for job in made]
        broken, whole = (lifecycle.extend(job.id, 800) for job in made)
        assert (broken.state, broken.total) == (JobState.QUEUED, 820)
        until(lambda: lifecycle.get(broken.id).step >= 110)
        kill_runner(worker, broken.id)
        second = [finished(job) for job in (broken, whole)]
    assert [job.attempt for job in second] == [3, 2]
    assert [job.step for job in second] == [820, 820]
    results = [job.result for job in (*first, *second)]
    shas = [result.export_sha256 for result in results if result]
    assert shas[0] == shas[1] != shas[2]
    assert shas[2] == shas[3]
    assert sorted((version.version, version.step) for version in registry.versions()) == [
        (1, 20),
        (2, 20),
        (3, 820),
        (4, 820),
    ]
    steps = [step for step, _ in lifecycle.metrics(whole.id)["critic/non_saturating"][0]]
    assert steps == [20, 400, 800, 820]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_training_that_ended_early_goes_on_when_it_is_extended(broker: Process) -> None:
    watch = {"metric": METRICS["synthesis", "points"][0], "every": 10, "samples": 16, "patience": 1}
    job = make_job("gan", "ring8", steps=100_000, report_every=10, checkpoint_every=10, watch=watch)
    with running_worker():
        early = finished(job)
        assert early.status_reason is not None
        assert early.status_reason.code == "stopped_early"
        assert early.step < early.total
        done = finished(lifecycle.extend(job.id, 10))
    assert (done.step, done.total, done.status_reason) == (early.step + 10, early.step + 10, None)
