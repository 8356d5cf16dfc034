"""Estimates how long trainings take on this service, and when those that wait begin."""

import heapq
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from sqlalchemy.orm import Session

from app.core import machine, speed
from app.core.errors import FieldError, Invalid
from app.core.settings import get_settings
from app.db.repositories import durations as rows
from app.db.session import unit_of_work
from app.db.tables import Job
from forger.wire import JobState
from models.spec.estimates.duration import training_s
from models.spec.recipe import Recipe

NEWEST = 5
"""trainings of a family whose durations correct the estimate of its next one"""


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds of a training from its start to its end.

    `work_s` follows from the machine's speed alone; None for a budget in minutes. `takes_s` is corrected by earlier
    trainings; None where the device is not known.
    """

    work_s: float | None
    takes_s: float | None


class Experience:
    """The durations of the newest trainings, read once for any number of estimates."""

    def __init__(self, session: Session) -> None:
        self._done = rows.newest(session)

    def of(self, recipe: Recipe, family: str | None) -> Duration:
        """Estimate the duration of a training of this recipe."""
        if recipe.budget.minutes is not None:
            return Duration(None, 60 * recipe.budget.minutes)
        work_s, factor = training_s(recipe, speed.measured()), self._factor(family)
        return Duration(work_s, None if factor is None else work_s * factor)

    def _factor(self, family: str | None) -> float | None:
        """Return the median ratio of measured to estimated time, over the family's trainings, else over all."""
        own = [one for one in self._done if one.family == family] or self._done
        if own:
            return median(one.took_s / one.work_s for one in own[:NEWEST])
        on_gpu = get_settings().device != "cpu" and machine.gpus() > 0
        return None if on_gpu else 1.0


def experience() -> Experience:
    """Read the durations of the newest trainings."""
    with unit_of_work(read_only=True) as session:
        return Experience(session)


def expected_s(recipe: Recipe, family: str | None) -> float | None:
    """Return the seconds that a training takes; None where the device is not known."""
    return experience().of(recipe, family).takes_s


def require(recipe: Recipe, family: str | None, at: str, known: Experience, *, share: float = 1.0) -> None:
    """Raise Invalid, pointing to `at`, where that share of a training is estimated to exceed max_minutes."""
    most, takes_s = get_settings().max_minutes, known.of(recipe, family).takes_s
    if takes_s is not None and (minutes := share * takes_s / 60) > most:
        sentence = (
            f"The training takes about {minutes:,.0f} minutes on this machine, more than {most:,} (max_minutes): "
            "train fewer steps."
        )
        raise Invalid(sentence, code="limit_exceeded", errors=(FieldError(at, sentence),))


def starts_in_s(session: Session, jobs: Collection[Job]) -> dict[str, float]:
    """Return the seconds until each waiting training of `jobs` begins, by job id.

    A job that waits takes the first place that a running job frees. A job is left out where the duration of one before
    it is unknown, and where nothing runs: there may be no worker.
    """
    asked = {job.id for job in jobs if job.state == JobState.QUEUED}
    if not asked:
        return {}
    running, waiting = rows.line(session)
    return {job_id: begins for job_id, begins in _turns(running, waiting) if job_id in asked}


def _turns(running: Iterable[float | None], waiting: Mapping[str, float | None]) -> Iterable[tuple[str, float]]:
    free = [left for left in running if left is not None]
    heapq.heapify(free)
    for job_id, takes_s in waiting.items():
        if not free:
            return
        begins = free[0]
        yield job_id, begins
        if takes_s is None:
            heapq.heappop(free)  # the end of this job is unknown
        else:
            heapq.heapreplace(free, begins + takes_s)
