"""Reports written behind the training's back: all, in order, in few transactions; and what goes wrong is told."""

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
    made = make_job().id
    assert attempts.claim(made, "tests") is not None
    return made


def test_what_is_added_is_recorded_once_and_in_order(job: str) -> None:
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
    told = lifecycle.events(job, after=2)
    assert [event.seq for event in told] == list(range(3, 3 + 205))
    assert [event.data["step"] for event in told if event.type == "metrics"] == list(range(1, 201))
    assert [event.data["step"] for event in told if event.type == "sample"] == [50, 100, 150, 200]
    assert told[-1].type == "health"
    assert lifecycle.metrics(job) == {
        "loss": ([(step, 1 / step) for step in range(1, 201)], False),
        "lost": ([(step, None) for step in range(1, 201)], False),
    }
    assert [sample.step for sample in lifecycle.artifacts(job, "sample")] == [50, 100, 150, 200]


def test_notes_keep_their_place_and_nobody_waits_for_them(job: str) -> None:
    """The thread that writes is held up until all has been told."""
    told: list[object] = []
    all_told = threading.Event()

    def write(reports: Sequence[StepReport]) -> None:
        assert all_told.wait(60)
        told.append([report.step for report in reports])

    with ReportWriter(write) as reports:
        for step in range(1, 31):
            reports.add_report(step, {})
            if step % 10 == 0:
                reports.add_write(partial(told.append, f"checkpoint {step}"))
        all_told.set()
    steps = [step for one in told if isinstance(one, list) for step in one]
    assert steps == list(range(1, 31))
    for step in (10, 20, 30):
        before = told[: told.index(f"checkpoint {step}")]
        assert sum(len(one) for one in before if isinstance(one, list)) == step


def test_a_note_that_fails_is_told_to_whoever_goes_on(job: str) -> None:
    def train() -> None:
        with ReportWriter(partial(attempts.record_reports, job, 1)) as reports:
            reports.add_write(partial(attempts.record_event, job, 2, "health", {}))
            reports.flush()

    with pytest.raises(FencedOut):
        train()


def test_what_was_added_before_an_error_is_recorded(job: str) -> None:
    def train() -> None:
        with ReportWriter(partial(attempts.record_reports, job, 1)) as reports:
            reports.add_report(1, {"loss": 1.0})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert lifecycle.metrics(job) == {"loss": ([(1, 1.0)], False)}


def test_a_fenced_out_attempt_hears_of_it_and_records_nothing(job: str) -> None:
    attempts.record_runner_loss(job, 1, "worker_lost", "It went.")
    with pytest.raises(FencedOut), ReportWriter(partial(attempts.record_reports, job, 1)) as reports:
        reports.add_report(1, {"loss": 1.0})
    assert (lifecycle.metrics(job), lifecycle.get(job).state) == ({}, JobState.QUEUED)


def test_who_adds_hears_of_what_went_wrong_and_waits_for_nothing(job: str) -> None:
    def fail(reports: Sequence[StepReport]) -> None:
        raise ZeroDivisionError

    def train() -> None:
        with ReportWriter(fail) as reports:
            for step in range(3 * MAX_QUEUED):
                reports.add_report(step, {})

    with pytest.raises(ZeroDivisionError):
        train()


def test_a_picture_that_cannot_be_drawn_is_told_of(job: str) -> None:
    def draw() -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ReportWriter(partial(attempts.record_reports, job, 1)) as reports:
        reports.add_report(1, {"loss": 1.0}, draw)
    assert lifecycle.metrics(job) == {}


def test_reports_wait_in_bounded_number() -> None:
    begun, go_on = threading.Event(), threading.Event()
    written: list[int] = []

    def write(reports: Sequence[StepReport]) -> None:
        begun.set()
        go_on.wait(20)
        written.extend(report.step for report in reports)

    with ReportWriter(write) as reports:
        reports.add_report(0, {})
        assert begun.wait(20)
        for step in range(1, MAX_QUEUED + 1):
            reports.add_report(step, {})
        late = threading.Thread(target=reports.add_report, args=(MAX_QUEUED + 1, {}))
        late.start()
        late.join(0.2)
        assert late.is_alive(), "it waits for room"
        go_on.set()
        late.join(20)
    assert written == list(range(MAX_QUEUED + 2))
