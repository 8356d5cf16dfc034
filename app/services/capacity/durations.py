"""Estimate how long trainings take on this service, and when queued ones start."""

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

HISTORY_PER_FAMILY = 5
"""newest trainings of a family whose durations correct the estimate of its next one"""


@dataclass(frozen=True, slots=True)
class Duration:
    """The estimated seconds of a training from its start to its end.

    `work_s` follows from the machine's speed alone; None for a budget in minutes. `takes_s` is corrected by earlier
    trainings; None on a GPU on which nothing was trained yet.
    """

    work_s: float | None
    takes_s: float | None


class DurationHistory:
    """The durations of the newest trainings, read once for any number of estimates."""

    def __init__(self, session: Session) -> None:
        self._finished = rows.newest_finished(session)

    def estimate(self, recipe: Recipe, family: str | None) -> Duration:
        """Estimate the duration of a training of this recipe."""
        if recipe.budget.minutes is not None:
            return Duration(None, 60 * recipe.budget.minutes)
        work_s, factor = training_s(recipe, speed.measure_speed()), self._factor(family)
        return Duration(work_s, None if factor is None else work_s * factor)

    def _factor(self, family: str | None) -> float | None:
        """Return the median ratio of measured to estimated time of the family's newest trainings, else of all."""
        trainings = [training for training in self._finished if training.family == family] or self._finished
        if trainings:
            return median(training.took_s / training.work_s for training in trainings[:HISTORY_PER_FAMILY])
        on_gpu = get_settings().device != "cpu" and machine.gpu_count() > 0
        return None if on_gpu else 1.0


def read_history() -> DurationHistory:
    """Read the durations of the newest trainings."""
    with unit_of_work(read_only=True) as session:
        return DurationHistory(session)


def expected_s(recipe: Recipe, family: str | None) -> float | None:
    """Return the seconds that a training takes; None on a GPU on which nothing was trained yet."""
    return read_history().estimate(recipe, family).takes_s


def require(recipe: Recipe, family: str | None, at: str, history: DurationHistory, *, share: float = 1.0) -> None:
    """Raise Invalid, pointing to `at`, if `share` of a training is estimated to take more than max_minutes."""
    limit, takes_s = get_settings().max_minutes, history.estimate(recipe, family).takes_s
    if takes_s is not None and (minutes := share * takes_s / 60) > limit:
        sentence = (
            f"The training takes about {minutes:,.0f} minutes on this machine, more than {limit:,} (max_minutes): "
            "train fewer steps."
        )
        raise Invalid(sentence, code="limit_exceeded", errors=(FieldError(at, sentence),))


def starts_in_s(session: Session, jobs: Collection[Job]) -> dict[str, float]:
    """Return the seconds until each queued training of `jobs` starts, by job id.

    A queued job starts when the first running job before it ends. A job is omitted if the duration of one before it is
    unknown, or if nothing runs: there may be no worker.
    """
    queued_ids = {job.id for job in jobs if job.state == JobState.QUEUED}
    if not queued_ids:
        return {}
    running, queued = rows.running_and_queued(session)
    return {job_id: start_s for job_id, start_s in _start_times(running, queued) if job_id in queued_ids}


def _start_times(running: Iterable[float | None], queued: Mapping[str, float | None]) -> Iterable[tuple[str, float]]:
    ends_s = [eta_s for eta_s in running if eta_s is not None]
    heapq.heapify(ends_s)
    for job_id, takes_s in queued.items():
        if not ends_s:
            return
        start_s = ends_s[0]
        yield job_id, start_s
        if takes_s is None:
            heapq.heappop(ends_s)  # the end of this job is unknown
        else:
            heapq.heapreplace(ends_s, start_s + takes_s)
