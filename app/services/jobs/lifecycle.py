"""Create, read, list, cancel, pause, resume, extend and delete jobs.

The database row decides what becomes of a job; a message in the queue only wakes a worker.
"""

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
from app.services.idempotency import RecordReply
from app.services.job_spec import JobPlan, JobSpec, Train, read_spec
from app.services.jobs import measurements
from app.services.jobs.attempt_files import remove_files
from app.services.jobs.measurements import MeasuredFigure
from app.services.views import ArtifactView, CheckpointView, EventView, JobView
from forger.wire import DEFAULT_REPLY_POINTS, TERMINAL, JobState
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
    "oldest_queued",
    "pause",
    "resume",
    "ring_oldest",
]


CANCEL_MOVES = {
    JobState.QUEUED: JobState.CANCELLED,
    JobState.PAUSED: JobState.CANCELLED,
    JobState.RUNNING: JobState.CANCELLING,
    JobState.PAUSING: JobState.CANCELLING,
}


PAUSE_MOVES = {JobState.QUEUED: JobState.PAUSED, JobState.RUNNING: JobState.PAUSING}


RESUME_MOVES = {JobState.PAUSED: JobState.QUEUED}


GROWING_GENERATORS = ("progressive", "stacked")
"""kinds of generators whose architecture depends on the share of the budget that is done"""


EXTEND_NOTE = (
    "Every schedule now spans the new, longer budget and goes on from the current step: a learning rate that had "
    "fallen to 0 rises to its value at this step."
)


def create(plan: JobPlan[JobSpec], record_reply: RecordReply | None = None) -> JobView:
    """Create a queued job. When this returns the job is stored durably, even if the broker is unreachable.

    `record_reply` records the job, in the same transaction, as the reply to an idempotency key. Raises Busy, NoRoom,
    Conflict.
    """
    job_id = new_id("job")
    try:
        plan.keep_files(job_id)
        with unit_of_work() as session:
            admission.admit(session, jobs=1, stored=plan.stored_bytes)
            insert(session, job_id, plan.spec, stored_bytes=plan.stored_bytes)
            if record_reply is not None:
                record_reply(session, job_id)
    except Exception as error:
        # After any other error the row may exist nevertheless; if it does not, the garbage sweep removes the files.
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
    history: durations.DurationHistory | None = None,
    **values: Any,
) -> None:
    """Add the row of a queued job in the caller's transaction.

    `history` estimates the duration of a training. When several jobs are created at once, pass it, so that it is read
    once.
    """
    _require_dataset(session, spec.dataset_name)
    if isinstance(spec, Train):
        values |= asdict((history or durations.DurationHistory(session)).estimate(spec.recipe, spec.family))
    rows.add(
        session,
        job_id,
        spec=spec.to_json(),
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
    """Raise Conflict if the dataset was deleted after the recipe was resolved.

    Once the transaction commits, the job's row protects an uploaded dataset from being deleted.
    """
    if dataset_rows.find(session, name, lock=True) is None and name not in DATASETS:
        raise Conflict(f"The dataset '{name}' has just been deleted. GET /datasets lists them.", code="no_dataset")


def get(job_id: str) -> JobView:
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job_id)
        if row is None:
            raise _job_not_found(job_id)
        return _to_views(session, [row])[0]


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
    """Return a page of jobs, newest first, and the cursor of the next page if there is one."""
    filters = {"state": state, "family": family, "dataset": dataset, "model_name": model, "kind": kind}
    with unit_of_work(read_only=True) as session:
        jobs = rows.page(session, limit + 1, after, **filters)
        page = _to_views(session, jobs[:limit])
    return page, page[-1].id if len(jobs) > limit else None


def _to_views(session: Session, jobs: Sequence[Job]) -> list[JobView]:
    positions, starts_in_s = rows.positions(session, jobs), durations.starts_in_s(session, jobs)
    samples = files.newest_samples(session, [row.id for row in jobs])
    return [
        views.job(row, positions.get(row.id), starts_in_s.get(row.id), newest_sample=samples.get(row.id))
        for row in jobs
    ]


def cancel(job_id: str) -> JobView:
    return _request_move(job_id, "cancelled", CANCEL_MOVES, done={JobState.CANCELLING, JobState.CANCELLED})


def pause(job_id: str) -> JobView:
    return _request_move(job_id, "paused", PAUSE_MOVES, done={JobState.PAUSING, JobState.PAUSED})


def resume(job_id: str) -> JobView:
    _require_plugins(get(job_id).recipe)
    view = _request_move(job_id, "resumed", RESUME_MOVES, done={JobState.QUEUED, JobState.RUNNING})
    if view.state == JobState.QUEUED:
        queue.ring(job_id, view.kind)
    return view


def extend(job_id: str, steps: int, record_reply: RecordReply | None = None) -> JobView:
    """Continue a training that has succeeded, early or not, for `steps` more steps. Raises NotFound, Conflict, Invalid.

    The versions that it published stay; it publishes another one at its new end.
    """
    with unit_of_work() as session:
        row = _require(rows.find(session, job_id, lock=True), job_id)
        spec = read_spec(row.spec)
        if not isinstance(spec, Train):
            sentence = f"Job {job_id} is no training: it has no steps that could be continued."
            raise Conflict(sentence, code="not_extended")
        if (obstacle := _extension_obstacle(session, row, spec)) is not None:
            raise Conflict(obstacle, code="not_extended")
        extended = _extended_spec(spec, row.step, steps)
        _require_plugins(extended.recipe)
        stored_bytes = estimates.estimate(extended.recipe, extended.devices).disk_bytes
        admission.admit(session, jobs=1, stored=stored_bytes - row.stored_bytes)
        message = f"Training goes on from step {row.step} to step {extended.total}. {EXTEND_NOTE}"
        event = {"from": row.step, "to": extended.total, "message": message}
        rows.change_state(
            session,
            job_id,
            JobState.QUEUED,
            source={JobState.SUCCEEDED},
            events_before=[("extended", event)],
            spec=extended.to_json(),
            stored_bytes=stored_bytes,
            total=extended.total,
            work_s=None,
            takes_s=None,
            result=None,
            finished_at=None,
            queued_at=epoch_now(),
            **rows.RESET_LOSSES,
        )
        if record_reply is not None:
            record_reply(session, job_id)
    queue.ring(job_id)
    return get(job_id)


def _require_plugins(recipe: Recipe) -> None:
    """Raise Conflict if a plugin that the recipe uses is missing or has changed."""
    try:
        plugins.require_loaded(recipe)
    except PluginMissing as error:
        raise Conflict(str(error), code="plugin_missing") from error


def _extension_obstacle(session: Session, row: Job, spec: Train) -> str | None:
    if row.state != JobState.SUCCEEDED:
        return f"Job {row.id} is {row.state}: only a training that has succeeded can be extended."
    if spec.recipe.generator.kind in GROWING_GENERATORS:
        return (
            f"The networks of job {row.id} grow over its budget: over a longer one they would have to shrink again. "
            "Train a new job with the larger budget."
        )
    last = next(iter(files.checkpoints(session, row.id)), None)
    if last is None or last.step != row.step or not (get_settings().checkpoints(row.id) / last.file).is_file():
        return f"Job {row.id} cannot go on: its checkpoint of step {row.step} is missing."
    return None


def _extended_spec(spec: Train, done: int, steps: int) -> Train:
    """Return the spec with a budget of `steps` beyond the `done` ones, and nothing else changed. Raises Invalid."""
    total, max_steps = done + steps, get_settings().max_steps
    if total > max_steps:
        sentence = f"A job has at most {max_steps:,} steps (max_steps), and this one has done {done:,}: add fewer."
        raise Invalid(sentence, code="limit_exceeded", errors=(FieldError("/budget/steps", sentence),))
    recipe = upgrade.read_recipe(spec.recipe.model_dump(mode="json") | {"budget": {"steps": total}})
    estimates.check_limits(recipe, spec.devices, recipe_at="/budget", budget_at="/budget")
    durations.require(recipe, spec.family, "/budget/steps", durations.read_history(), share=steps / total)
    return spec.model_copy(update={"recipe": recipe, "extended_at": done})


def delete(job_id: str) -> None:
    """Delete a job that has ended, with its files; the models that it published stay. Raises NotFound, Conflict."""
    with unit_of_work() as session:
        row = _require(rows.find(session, job_id, lock=True), job_id)
        if row.state not in TERMINAL:
            sentence = f"Job {job_id} is {row.state}: only an ended job can be deleted. Cancel it first."
            raise Conflict(sentence, code="job_state")
        rows.remove(session, job_id)
    remove_files(job_id)


def ring_oldest(kind: str) -> None:
    """Ring for the oldest job in the queue of that kind. Call it when a worker has become free."""
    oldest = _oldest_queued(kind)
    if oldest is not None:
        queue.ring(*oldest)


def oldest_queued(kind: str) -> str | None:
    """Return the id of the oldest job in the queue of that kind; None if the queue is empty."""
    oldest = _oldest_queued(kind)
    return oldest and oldest[0]


def _oldest_queued(kind: str) -> tuple[str, str] | None:
    kinds = [other for other, name in QUEUES.items() if name == QUEUES[kind]]
    with unit_of_work(read_only=True) as session:
        return rows.next_queued(session, kinds)


def events(job_id: str, *, after: int = 0, limit: int = 500) -> list[EventView]:
    """Return the events after sequence number `after`, at most `limit`. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        logged = event_log.after(session, job_id, after, limit)
        if not logged:
            _require(session.get(Job, job_id), job_id)
        return [views.event(row) for row in logged]


def all_events(
    *, after: int, limit: int, job_ids: Collection[str] = (), types: Collection[str] = ()
) -> tuple[list[EventView], int]:
    """Return at most `limit` events after position `after`, and the position of the newest event.

    If `job_ids` or `types` are given, return only events of these.
    """
    with unit_of_work(read_only=True) as session:
        newest = event_log.newest_position(session)
        logged = event_log.after_position(session, after, limit, job_ids, types)
        return [views.event(row) for row in logged], newest


def metrics(
    job_id: str, *, names: Collection[str] | None = None, after_step: int = -1, max_points: int = DEFAULT_REPLY_POINTS
) -> dict[str, tuple[Curve, bool]]:
    """Return curves by name, in order: at most `max_points` points (step, value), and whether the curve was thinned.

    A value of None was not finite. `points.curves` says how a curve is thinned. Raises NotFound.
    """
    with unit_of_work(read_only=True) as session:
        curves = points.curves(session, job_id, names, after_step, max_points)
        if not curves:
            _require(session.get(Job, job_id), job_id)
        return curves


def figures(job_id: str) -> list[MeasuredFigure]:
    """Return the figures of a job; for a training, also those of evaluations of the version that it published.

    Jobs that generate or translate have none. Raises NotFound.
    """
    with unit_of_work(read_only=True) as session:
        job = views.job(_require(session.get(Job, job_id), job_id))
        return measurements.of_job(session, job)


def checkpoints(job_id: str) -> list[CheckpointView]:
    """Return the job's checkpoints, newest first. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        _require(session.get(Job, job_id), job_id)
        return [views.checkpoint(row) for row in files.checkpoints(session, job_id)]


def artifacts(job_id: str, kind: str | None = None) -> list[ArtifactView]:
    """Return the job's artifacts, or those of one kind, ordered by step and name. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        _require(session.get(Job, job_id), job_id)
        return [views.artifact(row) for row in files.artifacts(session, job_id, kind)]


def _request_move(job_id: str, verb: str, moves: Mapping[JobState, JobState], *, done: Collection[JobState]) -> JobView:
    """Move the job to the state that `moves` names for its state; leave it where it is if that is `done` already.

    Raises NotFound, Busy, and Conflict if `moves` does not name the job's state.
    """
    with unit_of_work() as session:
        row = _require(rows.find(session, job_id, lock=True), job_id)
        state = JobState(row.state)
        if state not in done:
            if state not in moves:
                raise Conflict(f"Job {job_id} is {state} and cannot be {verb}.", code="job_state")
            if moves[state] == JobState.QUEUED:
                admission.admit(session, jobs=1)
            queued: dict[str, Any] = {"queued_at": epoch_now()} if moves[state] == JobState.QUEUED else {}
            rows.change_state(session, job_id, moves[state], source={state}, **queued)
    return get(job_id)


def _require(row: Job | None, job_id: str) -> Job:
    if row is None:
        raise _job_not_found(job_id)
    return row


def _job_not_found(job_id: str) -> NotFound:
    return NotFound(f"There is no job '{job_id}'. GET /jobs lists them.", code="job_not_found")
