"""The ReportWriter: all reports in order and in few transactions, and errors reach the training thread."""

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from app.core.errors import FencedOut
from app.services.jobs import attempts, lifecycle
from app.services.jobs.attempts import StepReport
from forger.wire import JobState
from tests.support.jobs import make_job
from worker.runners.report_writer import MAX_QUEUED, ReportWriter


@pytest.fixture
def job(database: Path) -> str:
    job_id = make_job().id
    assert attempts.claim(job_id, "tests") is not None
    return job_id


def test_reports_are_recorded_once_in_order_and_in_few_transactions(job: str) -> None:
    sizes: list[int] = []

    def write(reports: Sequence[StepReport]) -> None:
        sizes.append(len(reports))
        attempts.record_reports(job, 1, reports)

    with ReportWriter(write) as reports:
        for step in range(1, 201):
            reports.add_report(step, {"loss": 1 / step, "lost": None}, (lambda: b"png") if step % 50 == 0 else None)
        reports.flush()
        assert lifecycle.get(job).step == 200
        attempts.record_event(job, 1, "health", {"step": 200})
    assert sum(sizes) == 200
    assert max(sizes) > 1
    events = lifecycle.events(job, after=2)
    assert [event.seq for event in events] == list(range(3, 3 + 205))
    assert [event.data["step"] for event in events if event.type == "metrics"] == list(range(1, 201))
    assert [event.data["step"] for event in events if event.type == "sample"] == [50, 100, 150, 200]
    assert events[-1].type == "health"
    assert lifecycle.metrics(job) == {
        "loss": ([(step, 1 / step) for step in range(1, 201)], False),
        "lost": ([(step, None) for step in range(1, 201)], False),
    }
    assert [sample.step for sample in lifecycle.artifacts(job, "sample")] == [50, 100, 150, 200]


def test_writes_keep_their_place_among_reports_and_do_not_block(job: str) -> None:
    """The writing thread is blocked until everything has been added."""
    calls: list[object] = []
    all_added = threading.Event()

    def write(reports: Sequence[StepReport]) -> None:
        assert all_added.wait(60)
        calls.append([report.step for report in reports])

    with ReportWriter(write) as reports:
        for step in range(1, 31):
            reports.add_report(step, {})
            if step % 10 == 0:
                reports.add_write(partial(calls.append, f"checkpoint {step}"))
        all_added.set()
    steps = [step for call in calls if isinstance(call, list) for step in call]
    assert steps == list(range(1, 31))
    for step in (10, 20, 30):
        before = calls[: calls.index(f"checkpoint {step}")]
        assert sum(len(call) for call in before if isinstance(call, list)) == step


def test_failed_write_raises_in_the_training_thread(job: str) -> None:
    def train() -> None:
        with ReportWriter(partial(attempts.record_reports, job, 1)) as reports:
            reports.add_write(partial(attempts.record_event, job, 2, "health", {}))
            reports.flush()

    with pytest.raises(FencedOut):
        train()


def test_reports_before_an_error_of_the_training_are_recorded(job: str) -> None:
    def train() -> None:
        with ReportWriter(partial(attempts.record_reports, job, 1)) as reports:
            reports.add_report(1, {"loss": 1.0})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert lifecycle.metrics(job) == {"loss": ([(1, 1.0)], False)}


def test_fenced_out_attempt_raises_and_records_nothing(job: str) -> None:
    attempts.record_runner_loss(job, 1, "worker_lost", "It went.")
    with pytest.raises(FencedOut), ReportWriter(partial(attempts.record_reports, job, 1)) as reports:
        reports.add_report(1, {"loss": 1.0})
    assert (lifecycle.metrics(job), lifecycle.get(job).state) == ({}, JobState.QUEUED)


def test_failing_writer_raises_instead_of_blocking_the_training(job: str) -> None:
    def fail(reports: Sequence[StepReport]) -> None:
        raise ZeroDivisionError

    def train() -> None:
        with ReportWriter(fail) as reports:
            for step in range(3 * MAX_QUEUED):
                reports.add_report(step, {})

    with pytest.raises(ZeroDivisionError):
        train()


def test_error_while_drawing_a_sample_is_raised(job: str) -> None:
    def draw() -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ReportWriter(partial(attempts.record_reports, job, 1)) as reports:
        reports.add_report(1, {"loss": 1.0}, draw)
    assert lifecycle.metrics(job) == {}


def test_queue_of_reports_is_bounded() -> None:
    started, go_on = threading.Event(), threading.Event()
    written: list[int] = []

    def write(reports: Sequence[StepReport]) -> None:
        started.set()
        go_on.wait(20)
        written.extend(report.step for report in reports)

    with ReportWriter(write) as reports:
        reports.add_report(0, {})
        assert started.wait(20)
        for step in range(1, MAX_QUEUED + 1):
            reports.add_report(step, {})
        blocked = threading.Thread(target=reports.add_report, args=(MAX_QUEUED + 1, {}))
        blocked.start()
        blocked.join(0.2)
        assert blocked.is_alive(), "the queue is full"
        go_on.set()
        blocked.join(20)
    assert written == list(range(MAX_QUEUED + 2))
