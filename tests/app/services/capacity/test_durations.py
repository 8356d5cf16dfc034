"""How long trainings take: told by the machine's speed, corrected by experience; and when those begin that wait."""

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


def put(job_id: str, **values: object) -> None:
    with unit_of_work() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def trained(family: str, work_s: float, took_s: float, *, fence: int = 1) -> None:
    """A training of the past."""
    job = make_job(family, "digits")
    assert attempts.claim(job.id, "tests") is not None
    attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    put(job.id, work_s=work_s, started_at=1000.0, finished_at=1000.0 + took_s, fence=fence)


def factor(family: str) -> float:
    with unit_of_work(read_only=True) as session:
        found = durations.DurationHistory(session).estimate(recipe(family), family)
    assert found.work_s is not None
    assert found.takes_s is not None
    return found.takes_s / found.work_s


def test_a_first_training_is_told_by_the_speed_of_the_machine(database: Path) -> None:
    assert factor("cdcgan") == 1
    some, many = durations.expected_s(recipe(steps=1000), None), durations.expected_s(recipe(steps=2000), None)
    assert some is not None
    assert many is not None
    assert 1.5 * some < many < 2 * some, "twice the steps, and one start"


def test_a_budget_in_minutes_is_believed(database: Path) -> None:
    assert durations.expected_s(recipe(minutes=3), "cdcgan") == 180


def test_trainings_of_the_family_correct_it_and_others_where_there_are_none(database: Path) -> None:
    trained("gan", 10, 40)
    assert factor("cdcgan") == pytest.approx(4), "some experience is better than none"
    for took in (20, 30, 500):
        trained("cdcgan", 10, took)
    assert factor("cdcgan") == pytest.approx(3), "the median: one slow hour is no rule"
    for _ in range(durations.HISTORY_PER_FAMILY):
        trained("cdcgan", 10, 10)
    assert factor("cdcgan") == pytest.approx(1), "the newest alone"
    assert factor("gan") == pytest.approx(4)


def test_a_training_that_was_interrupted_teaches_nothing(database: Path) -> None:
    trained("cdcgan", 10, 5000, fence=2)
    assert factor("cdcgan") == 1


def test_a_gpu_is_not_known_before_it_has_trained(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu_count", lambda: 1)
    monkeypatch.setenv("FORGER_DEVICE", "auto")
    get_settings.cache_clear()
    assert durations.expected_s(recipe(), "cdcgan") is None
    trained("cdcgan", 100, 10)
    assert factor("cdcgan") == pytest.approx(0.1)


def test_what_waits_is_told_when_it_begins(database: Path) -> None:
    """Two places; each of those that wait takes the one that is free first."""
    running, waiting = [make_job() for _ in range(2)], [make_job() for _ in range(3)]
    for job, left in zip(running, (60.0, 200.0), strict=True):
        put_in(JobState.RUNNING, job.id)
        put(job.id, eta_s=left)
    for job in waiting:
        put(job.id, takes_s=90.0)
    assert [lifecycle.get(job.id).starts_in_s for job in waiting] == [60, 150, 200]
    assert {job.id: job.starts_in_s for job in lifecycle.list_jobs()[0]}[waiting[1].id] == 150
    assert lifecycle.get(running[0].id).starts_in_s is None


def test_nothing_is_told_where_nothing_runs_or_nobody_knows(database: Path) -> None:
    first, second = make_job(), make_job()
    assert lifecycle.get(first.id).starts_in_s is None
    put_in(JobState.RUNNING, first.id)
    put(first.id, eta_s=None, takes_s=None)
    assert lifecycle.get(second.id).starts_in_s is None


def test_a_training_that_takes_longer_than_is_allowed_is_refused(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGER_MAX_MINUTES", "5")
    get_settings.cache_clear()
    allowed, long = (
        resolve("dcgan", dataset="digits", budget=budget)[1] for budget in ({"minutes": 5}, {"minutes": 600})
    )
    durations.require(allowed, "dcgan", "/budget", durations.read_history())
    durations.require(long, "dcgan", "/budget", durations.read_history(), share=0.001)
    steps = resolve("dcgan", dataset="digits", budget={"steps": 9_000_000})[1]
    for refused in (long, steps):
        with pytest.raises(Invalid, match=r"minutes on this machine, more than 5 \(max_minutes\)") as told:
            durations.require(refused, "dcgan", "/budget", durations.read_history())
        assert [error.pointer for error in told.value.errors] == ["/budget"]
