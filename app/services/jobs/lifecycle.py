"""Create, read, list, cancel, pause, resume, extend and delete jobs. The row is the truth; the queue wakes workers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from app.core.disk_full import no_room
from app.core.errors import Conflict, FieldError, ForgerError, Invalid, NotFound
from app.core.ids import new_id
from app.core.names import QUEUES
from app.core.settings import get_settings
from app.db.repositories import datasets as dataset_rows
from app.db.repositories import events as event_log
from app.db.repositories import files, points
from app.db.repositories import jobs as rows
from app.db.repositories.points import Curve
from app.db.session import epoch_now, unit_of_work
from app.db.tables import Job
from app.services import queue, views
from app.services.capacity import admission, durations, estimates
from app.services.idempotency import Answer
from app.services.job_spec import JobPlan, JobSpec, Train, read_spec
from app.services.jobs import measurements
from app.services.jobs.attempt_files import remove_files
from app.services.jobs.measurements import Measured
from app.services.views import ArtifactView, CheckpointView, EventView, JobView
from forger.wire import REPLY_POINTS, TERMINAL, JobState
from models.spec import plugins, upgrade
from models.spec.datasets import DATASETS
from models.spec.plugins import PluginMissing
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
    "extend",
    "figures",
    "get",
    "insert",
    "list_jobs",
    "metrics",
    "oldest",
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


RESUME = {JobState.PAUSED: JobState.QUEUED}


GROWING = ("progressive", "stacked")
"""kinds of generators whose networks follow the share of the budget that is done"""


LONGER = (
    "All that follows the budget runs over the new, longer one from where it stands: a learning-rate schedule that had "
    "fallen to 0 starts again from its value there."
)


def create(plan: JobPlan[JobSpec], answer: Answer | None = None) -> JobView:
    """Create a queued job. It is safe once this returns, whether or not the broker could be reached.

    `answer` names it in the same transaction as the answer to an idempotency key. Raises Busy, NoRoom, Conflict.
    """
    job_id = new_id("job")
    try:
        plan.hold(job_id)
        with unit_of_work() as session:
            admission.admit(session, jobs=1, stored=plan.stored_bytes)
            insert(session, job_id, plan.spec, stored_bytes=plan.stored_bytes)
            if answer is not None:
                answer(session, job_id)
    except Exception as error:
        # After any other error the row may be there all the same; if not, the sweep finds the files.
        if isinstance(error, ForgerError) or no_room(error):
            remove_files(job_id)
        raise
    queue.ring(job_id, plan.spec.kind)
    return get(job_id)


def insert(
    session: Session,
    job_id: str,
    spec: JobSpec,
    *,
    stored_bytes: int,
    experience: durations.Experience | None = None,
    **values: Any,
) -> None:
    """Add the row of a queued job, in the caller's transaction.

    Pass `experience`, which estimates a training's duration, where several jobs are created at once.
    """
    _require_dataset(session, spec.dataset_name)
    if isinstance(spec, Train):
        values |= asdict((experience or durations.Experience(session)).of(spec.recipe, spec.family))
    rows.add(
        session,
        job_id,
        spec=spec.stored(),
        kind=spec.kind,
        family=spec.family,
        dataset=spec.dataset_name,
        model_name=spec.model_name,
        source_job=spec.source_job,
        total=spec.total,
        stored_bytes=stored_bytes,
        **values,
    )


def _require_dataset(session: Session, name: str) -> None:
    """An uploaded one may have been deleted since the recipe was resolved; from here on the job keeps it."""
    if dataset_rows.find(session, name, lock=True) is None and name not in DATASETS:
        raise Conflict(f"The dataset '{name}' has just been deleted. GET /datasets lists them.", code="no_dataset")


def get(job_id: str) -> JobView:
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job_id)
        if row is None:
            raise _missing(job_id)
        return _seen(session, [row])[0]


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
        listed = found[:limit]
        page = _seen(session, listed)
    return page, page[-1].id if len(found) > limit else None


def _seen(session: Session, listed: Sequence[Job]) -> list[JobView]:
    places, begins = rows.positions(session, listed), durations.starts_in_s(session, listed)
    return [views.job(row, places.get(row.id), begins.get(row.id)) for row in listed]


def cancel(job_id: str) -> JobView:
    return _ask(job_id, "cancelled", CANCEL, done={JobState.CANCELLING, JobState.CANCELLED})


def pause(job_id: str) -> JobView:
    return _ask(job_id, "paused", PAUSE, done={JobState.PAUSING, JobState.PAUSED})


def resume(job_id: str) -> JobView:
    _require_plugins(get(job_id).recipe)
    view = _ask(job_id, "resumed", RESUME, done={JobState.QUEUED, JobState.RUNNING})
    if view.state == JobState.QUEUED:
        queue.ring(job_id, view.kind)
    return view


def extend(job_id: str, steps: int, answer: Answer | None = None) -> JobView:
    """So many steps more for a training that has succeeded, early or not. Raises NotFound, Conflict, Invalid.

    What it published stays; it publishes the next version at its new end.
    """
    with unit_of_work() as session:
        row = _require(rows.find(session, job_id, lock=True), job_id)
        spec = read_spec(row.spec)
        if not isinstance(spec, Train):
            sentence = f"Job {job_id} trains nothing: it has no steps that could be continued."
            raise Conflict(sentence, code="not_extended")
        if (obstacle := _not_extended(session, row, spec)) is not None:
            raise Conflict(obstacle, code="not_extended")
        longer = _longer(spec, row.step, steps)
        _require_plugins(longer.recipe)
        stored_bytes = estimates.of(longer.recipe, longer.devices).disk_bytes
        admission.admit(session, jobs=1, stored=stored_bytes - row.stored_bytes)
        told = {"from": row.step, "to": longer.total}
        message = f"From step {row.step} on to step {longer.total}. {LONGER}"
        rows.move(
            session,
            job_id,
            JobState.QUEUED,
            source={JobState.SUCCEEDED},
            beside=[("extended", {**told, "message": message})],
            spec=longer.stored(),
            stored_bytes=stored_bytes,
            total=longer.total,
            work_s=None,
            takes_s=None,
            result=None,
            finished_at=None,
            queued_at=epoch_now(),
            **rows.GOT_ON,
        )
        if answer is not None:
            answer(session, job_id)
    queue.ring(job_id)
    return get(job_id)


def _require_plugins(recipe: Recipe) -> None:
    """Raises Conflict where the recipe takes parts from a plugin that is not there as it was."""
    try:
        plugins.require_loaded(recipe)
    except PluginMissing as error:
        raise Conflict(str(error), code="plugin_missing") from error


def _not_extended(session: Session, row: Job, spec: Train) -> str | None:
    if row.state != JobState.SUCCEEDED:
        return f"Job {row.id} is {row.state}: only a training that has succeeded can be extended."
    if spec.recipe.generator.kind in GROWING:
        return (
            f"The networks of job {row.id} grow with its budget, and in a longer one they would be smaller again. "
            "Train a new job with the larger budget."
        )
    last = next(iter(files.checkpoints(session, row.id)), None)
    if last is None or last.step != row.step or not (get_settings().checkpoints(row.id) / last.file).is_file():
        return f"The checkpoint of step {row.step} of job {row.id} is missing, and it cannot go on from another."
    return None


def _longer(spec: Train, made: int, steps: int) -> Train:
    """Return the spec with a budget of `steps` beyond those `made`, all else as it is. Raises Invalid."""
    total, most = made + steps, get_settings().max_steps
    if total > most:
        sentence = f"A job has at most {most:,} steps (max_steps), and this one has made {made:,}: add fewer."
        raise Invalid(sentence, code="limit_exceeded", errors=(FieldError("/budget/steps", sentence),))
    recipe = upgrade.read_recipe(spec.recipe.model_dump(mode="json") | {"budget": {"steps": total}})
    estimates.require(recipe, spec.devices, recipe_at="/budget", budget_at="/budget")
    durations.require(recipe, spec.family, "/budget/steps", durations.experience(), share=steps / total)
    return spec.model_copy(update={"recipe": recipe, "extended_at": made})


def delete(job_id: str) -> None:
    """The row of a job that has ended, with all it left but what it published. Raises NotFound, Conflict."""
    with unit_of_work() as session:
        row = _require(rows.find(session, job_id, lock=True), job_id)
        if row.state not in TERMINAL:
            sentence = f"Job {job_id} is {row.state}: only an ended job can be deleted. Cancel it first."
            raise Conflict(sentence, code="job_state")
        rows.remove(session, job_id)
    remove_files(job_id)


def ring_oldest(kind: str) -> None:
    """Rings for the job that has waited longest in the queue of that kind: a worker has just become free."""
    found = _oldest(kind)
    if found is not None:
        queue.ring(*found)


def oldest(kind: str) -> str | None:
    """The job that has waited longest in the queue of that kind."""
    found = _oldest(kind)
    return found and found[0]


def _oldest(kind: str) -> tuple[str, str] | None:
    kinds = [other for other, name in QUEUES.items() if name == QUEUES[kind]]
    with unit_of_work(read_only=True) as session:
        return rows.next_queued(session, kinds)


def events(job_id: str, *, after: int = 0, limit: int = 500) -> list[EventView]:
    with unit_of_work(read_only=True) as session:
        found = event_log.after(session, job_id, after, limit)
        if not found:
            _require(session.get(Job, job_id), job_id)
        return [views.event(row) for row in found]


def metrics(
    job_id: str, *, names: Collection[str] | None = None, after_step: int = -1, most: int = REPLY_POINTS
) -> dict[str, tuple[Curve, bool]]:
    """Curves by name, in order: at most `most` points (step, value), and whether the curve was thinned to them.

    A value of None was not finite. points.curves says how a curve is thinned.
    """
    with unit_of_work(read_only=True) as session:
        found = points.curves(session, job_id, names, after_step, most)
        if not found:
            _require(session.get(Job, job_id), job_id)
        return found


def figures(job_id: str) -> list[Measured]:
    """What a job measured, a training with the evaluations of what it published. Bulk jobs measure nothing."""
    with unit_of_work(read_only=True) as session:
        job = views.job(_require(session.get(Job, job_id), job_id))
        return measurements.of_job(session, job)


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
            if moves[state] == JobState.QUEUED:
                admission.admit(session, jobs=1)
            place: dict[str, Any] = {"queued_at": epoch_now()} if moves[state] == JobState.QUEUED else {}
            rows.move(session, job_id, moves[state], source={state}, **place)
    return get(job_id)


def _require(row: Job | None, job_id: str) -> Job:
    if row is None:
        raise _missing(job_id)
    return row


def _missing(job_id: str) -> NotFound:
    return NotFound(f"There is no job '{job_id}'. GET /jobs lists them.", code="job_not_found")
