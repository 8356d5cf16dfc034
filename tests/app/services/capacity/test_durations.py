"""Durations: estimated from the machine's speed, corrected by past trainings; start times of queued jobs; the limit."""

from pathlib import Path

import pytest
from sqlalchemy import update

from app.core import machine
from app.core.errors import Invalid
from app.core.settings import get_settings
from app.db.session import unit_of_work
from app.db.tables import Job
from app.services.capacity import durations
from app.services.jobs import attempts, lifecycle
from forger.wire import JobState
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.jobs import export_file, make_job, put_in


def recipe(family: str = "cdcgan", **budget: float) -> Recipe:
    return resolve(family, budget=budget or {"steps": 1200})[1]


def set_columns(job_id: str, **values: object) -> None:
    with unit_of_work() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def record_training(family: str, work_s: float, took_s: float, *, fence: int = 1) -> None:
    """Record a past training: `work_s` was estimated, `took_s` measured."""
    job = make_job(family, "digits")
    assert attempts.claim(job.id, "tests") is not None
    attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    set_columns(job.id, work_s=work_s, started_at=1000.0, finished_at=1000.0 + took_s, fence=fence)


def factor(family: str) -> float:
    with unit_of_work(read_only=True) as session:
        estimate = durations.DurationHistory(session).estimate(recipe(family), family)
    assert estimate.work_s is not None
    assert estimate.takes_s is not None
    return estimate.takes_s / estimate.work_s


def test_first_training_is_estimated_from_the_speed_of_the_machine(database: Path) -> None:
    assert factor("cdcgan") == 1
    some, many = durations.expected_s(recipe(steps=1000), None), durations.expected_s(recipe(steps=2000), None)
    assert some is not None
    assert many is not None
    assert 1.5 * some < many < 2 * some, "twice the steps, but one start-up"


def test_budget_in_minutes_is_the_estimate(database: Path) -> None:
    assert durations.expected_s(recipe(minutes=3), "cdcgan") == 180


def test_estimate_follows_trainings_of_the_family_or_else_of_others(database: Path) -> None:
    record_training("gan", 10, 40)
    assert factor("cdcgan") == pytest.approx(4), "without trainings of the family, others count"
    for took in (20, 30, 500):
        record_training("cdcgan", 10, took)
    assert factor("cdcgan") == pytest.approx(3), "the median ignores one slow training"
    for _ in range(durations.HISTORY_PER_FAMILY):
        record_training("cdcgan", 10, 10)
    assert factor("cdcgan") == pytest.approx(1), "only the newest trainings count"
    assert factor("gan") == pytest.approx(4)


def test_interrupted_training_does_not_change_the_estimate(database: Path) -> None:
    record_training("cdcgan", 10, 5000, fence=2)
    assert factor("cdcgan") == 1


def test_gpu_without_a_past_training_has_no_estimate(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu_count", lambda: 1)
    monkeypatch.setenv("FORGER_DEVICE", "auto")
    get_settings.cache_clear()
    assert durations.expected_s(recipe(), "cdcgan") is None
    record_training("cdcgan", 100, 10)
    assert factor("cdcgan") == pytest.approx(0.1)


def test_queued_jobs_show_when_they_will_start(database: Path) -> None:
    """There are two slots; each queued job takes the one that is free first."""
    running, waiting = [make_job() for _ in range(2)], [make_job() for _ in range(3)]
    for job, eta_s in zip(running, (60.0, 200.0), strict=True):
        put_in(JobState.RUNNING, job.id)
        set_columns(job.id, eta_s=eta_s)
    for job in waiting:
        set_columns(job.id, takes_s=90.0)
    assert [lifecycle.get(job.id).starts_in_s for job in waiting] == [60, 150, 200]
    assert {job.id: job.starts_in_s for job in lifecycle.list_jobs()[0]}[waiting[1].id] == 150
    assert lifecycle.get(running[0].id).starts_in_s is None


def test_start_time_is_unknown_without_a_running_job_or_estimates(database: Path) -> None:
    first, second = make_job(), make_job()
    assert lifecycle.get(first.id).starts_in_s is None
    put_in(JobState.RUNNING, first.id)
    set_columns(first.id, eta_s=None, takes_s=None)
    assert lifecycle.get(second.id).starts_in_s is None


def test_training_longer_than_max_minutes_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_MAX_MINUTES", "5")
    get_settings.cache_clear()
    allowed, long = (
        resolve("dcgan", dataset="digits", budget=budget)[1] for budget in ({"minutes": 5}, {"minutes": 600})
    )
    durations.require(allowed, "dcgan", "/budget", durations.read_history())
    durations.require(long, "dcgan", "/budget", durations.read_history(), share=0.001)
    steps = resolve("dcgan", dataset="digits", budget={"steps": 9_000_000})[1]
    for too_long in (long, steps):
        with pytest.raises(Invalid, match=r"minutes on this machine, more than 5 \(max_minutes\)") as refused:
            durations.require(too_long, "dcgan", "/budget", durations.read_history())
        assert [error.pointer for error in refused.value.errors] == ["/budget"]
