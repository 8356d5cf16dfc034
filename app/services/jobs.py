"""Jobs as their clients see them: create, ask, watch. The row is the truth; the queue is only rung."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import Conflict, ForgerError, NotFound
from app.core.ids import new_id
from app.core.settings import get_settings
from app.core.states import TERMINAL, JobState
from app.db.repositories import datasets as dataset_rows
from app.db.repositories import events as event_log
from app.db.repositories import files
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.db.tables import Job
from app.services import checkpoints as checkpoints_
from app.services import queue, sweep, views
from app.services.idempotency import Answer
from app.services.plans import Start
from app.services.views import ArtifactView, CheckpointView, EventView, JobView
from models.spec.datasets import DATASETS
from models.spec.recipe import Recipe

__all__ = [
    "ArtifactView",
    "CheckpointView",
    "EventView",
    "JobView",
    "artifacts",
    "cancel",
    "checkpoints",
    "create",
    "delete",
    "events",
    "get",
    "insert",
    "list_jobs",
    "metrics",
    "pause",
    "resume",
    "ring_oldest",
]

CANCEL = {
    JobState.QUEUED: JobState.CANCELLED,
    JobState.PAUSED: JobState.CANCELLED,
    JobState.RUNNING: JobState.CANCELLING,
    JobState.PAUSING: JobState.CANCELLING,
}
PAUSE = {JobState.QUEUED: JobState.PAUSED, JobState.RUNNING: JobState.PAUSING}
START_FILE = "start.pt"
RESUME = {JobState.PAUSED: JobState.QUEUED}


def create(
    *,
    family: str | None,
    recipe: Recipe,
    dataset: str,
    model_name: str,
    kind: str = "train",
    start: Start | None = None,
    answer: Answer | None = None,
) -> JobView:
    """The job is safe once this returns, whether or not the broker could be rung.

    `answer` names it in the same transaction as the answer to an idempotency key.
    """
    job_id = new_id("job")
    try:
        begun = start and _hold_start(job_id, start)
        with unit_of_work() as session:
            insert(
                session,
                job_id,
                recipe,
                kind=kind,
                family=family,
                dataset=dataset,
                model_name=model_name,
                start=begun,
            )
            if answer is not None:
                answer(session, job_id)
    except ForgerError:  # after any other the row may be there all the same; if not, the sweep finds the files
        sweep.remove_files(job_id)
        raise
    queue.ring(job_id)
    return get(job_id)


def insert(session: Session, job_id: str, recipe: Recipe, *, dataset: str, **values: Any) -> None:
    """A new queued job, in the caller's transaction."""
    _require_dataset(session, dataset)
    total = recipe.budget.steps if recipe.budget.minutes is None else 0
    rows.add(session, job_id, dataset=dataset, recipe=recipe.model_dump(mode="json"), total=total, **values)


def _require_dataset(session: Session, name: str) -> None:
    """An uploaded one may have been deleted since the recipe was resolved; from here on the job keeps it."""
    if dataset_rows.find(session, name, lock=True) is None and name not in DATASETS:
        raise Conflict(f"The dataset '{name}' has just been deleted. GET /datasets lists them.", code="no_dataset")


def _hold_start(job_id: str, start: Start) -> dict[str, Any]:
    """The first weights lie in the job's own folder, whatever becomes of the job that learned them."""
    checkpoint = start.checkpoint
    checkpoints_.hold(checkpoint, start.job_id, get_settings().checkpoints(job_id) / START_FILE)
    return {
        "job": start.job_id,
        "checkpoint": checkpoint.id,
        "step": checkpoint.step,
        "sha256": checkpoint.sha256,
        "file": START_FILE,
    }


def get(job_id: str) -> JobView:
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job_id)
        if row is None:
            raise _missing(job_id)
        return views.job(row, rows.positions(session, [job_id]).get(job_id))


def list_jobs(
    *,
    limit: int = 20,
    after: str | None = None,
    state: str | None = None,
    family: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
    kind: str | None = None,
) -> tuple[list[JobView], str | None]:
    """Newest first, and the cursor of the next page when there is one."""
    filters = {"state": state, "family": family, "dataset": dataset, "model_name": model, "kind": kind}
    with unit_of_work(read_only=True) as session:
        found = rows.page(session, limit + 1, after, **filters)
        places = rows.positions(session, [row.id for row in found])
        page = [views.job(row, places.get(row.id)) for row in found[:limit]]
    return page, page[-1].id if len(found) > limit else None


def cancel(job_id: str) -> JobView:
    return _ask(job_id, "cancelled", CANCEL, done={JobState.CANCELLING, JobState.CANCELLED})


def pause(job_id: str) -> JobView:
    return _ask(job_id, "paused", PAUSE, done={JobState.PAUSING, JobState.PAUSED})


def resume(job_id: str) -> JobView:
    view = _ask(job_id, "resumed", RESUME, done={JobState.QUEUED, JobState.RUNNING})
    if view.state == JobState.QUEUED:
        queue.ring(job_id)
    return view


def delete(job_id: str) -> None:
    """The row of a job that has ended, with all it left but what it published. Raises NotFound, Conflict."""
    with unit_of_work() as session:
        row = _require(rows.find(session, job_id, lock=True), job_id)
        if row.state not in TERMINAL:
            sentence = f"Job {job_id} is {row.state}: only an ended job can be deleted. Cancel it first."
            raise Conflict(sentence, code="job_state")
        rows.remove(session, job_id)
    sweep.remove_files(job_id)


def ring_oldest() -> None:
    """Rings for the job that has waited longest: a worker has just become free."""
    with unit_of_work(read_only=True) as session:
        job_id = rows.next_queued(session)
    if job_id is not None:
        queue.ring(job_id)


def events(job_id: str, *, after: int = 0, limit: int = 500) -> list[EventView]:
    with unit_of_work(read_only=True) as session:
        found = event_log.after(session, job_id, after, limit)
        if not found:
            _require(session.get(Job, job_id), job_id)
        return [views.event(row) for row in found]


def metrics(
    job_id: str, *, names: Collection[str] | None = None, after_step: int = -1
) -> dict[str, list[tuple[int, float | None]]]:
    """Curves by name: (step, value), a value of None was not finite."""
    curves: dict[str, list[tuple[int, float | None]]] = {}
    with unit_of_work(read_only=True) as session:
        _require(session.get(Job, job_id), job_id)
        for point in files.points(session, job_id, names, after_step):
            curves.setdefault(point.name, []).append((point.step, point.value))
    return curves


def checkpoints(job_id: str) -> list[CheckpointView]:
    """Newest first."""
    with unit_of_work(read_only=True) as session:
        _require(session.get(Job, job_id), job_id)
        return [views.checkpoint(row) for row in files.checkpoints(session, job_id)]


def artifacts(job_id: str, kind: str | None = None) -> list[ArtifactView]:
    with unit_of_work(read_only=True) as session:
        _require(session.get(Job, job_id), job_id)
        return [views.artifact(row) for row in files.artifacts(session, job_id, kind)]


def _ask(job_id: str, verb: str, moves: Mapping[JobState, JobState], *, done: Collection[JobState]) -> JobView:
    """Makes the move that `moves` names for the job's state; content when it is already `done`."""
    with unit_of_work() as session:
        row = _require(rows.find(session, job_id, lock=True), job_id)
        state = JobState(row.state)
        if state not in done:
            if state not in moves:
                raise Conflict(f"Job {job_id} is {state} and cannot be {verb}.", code="job_state")
            rows.move(session, job_id, moves[state], source={state})
    return get(job_id)


def _require(row: Job | None, job_id: str) -> Job:
    if row is None:
        raise _missing(job_id)
    return row


def _missing(job_id: str) -> NotFound:
    return NotFound(f"There is no job '{job_id}'. GET /jobs lists them.", code="job_not_found")
