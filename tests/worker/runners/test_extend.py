"""Extensions with real workers: a training that continues after its end."""

from typing import Any

import pytest

from app.services.jobs import lifecycle
from app.services.models import registry
from forger.wire import JobState
from models.spec.watch import METRICS
from tests.support.databases import sqlite_only
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, runner_of, running_worker, until_succeeded

OVERRIDES: dict[str, Any] = {
    "checkpoint_every": 100,
    "report_every": 400,
    "schedule": {"kind": "linear"},
    "watch": None,
}


@pytest.mark.long
@sqlite_only
def test_extension_whose_runner_is_killed_gives_the_same_bytes(broker: Process) -> None:
    jobs = [make_job("gan", "ring8", steps=20, **OVERRIDES) for _ in range(2)]
    with running_worker(FORGER_SLOTS="2") as worker:
        first = [until_succeeded(job.id) for job in jobs]
        killed, whole = (lifecycle.extend(job.id, 800) for job in jobs)
        assert (killed.state, killed.total) == (JobState.QUEUED, 820)
        until(lambda: lifecycle.get(killed.id).step >= 110)
        runner_of(worker, killed.id).kill()
        second = [until_succeeded(job.id) for job in (killed, whole)]
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


@sqlite_only
def test_training_that_ended_early_continues_when_it_is_extended(broker: Process) -> None:
    watch = {"metric": METRICS["synthesis", "points"][0], "every": 10, "samples": 16, "patience": 1}
    job = make_job("gan", "ring8", steps=100_000, report_every=10, checkpoint_every=10, watch=watch)
    with running_worker():
        early = until_succeeded(job.id)
        assert early.status_reason is not None
        assert early.status_reason.code == "stopped_early"
        assert early.step < early.total
        done = until_succeeded(lifecycle.extend(job.id, 10).id)
    assert (done.step, done.total, done.status_reason) == (early.step + 10, early.step + 10, None)
