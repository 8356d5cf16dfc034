"""The writes of one attempt to its job's row: claim, renew, record, end. Each is refused once it is fenced out.

Every write names the fence that `claim` gave out; once another attempt holds the job, or it has
ended, the write changes nothing and raises FencedOut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import FencedOut
from app.core.settings import get_settings
from app.core.states import ACTIVE, sources
from app.core.store import Store
from app.db.repositories import files, models, points
from app.db.repositories import jobs as rows
from app.db.repositories.events import Entry
from app.db.session import epoch_now, unit_of_work
from app.db.tables import Job
from app.services import views
from app.services.job_spec import Evaluate, read_spec
from app.services.jobs import attempt_files
from app.services.views import CheckpointView, JobView
from forger.wire import JobState
from models.spec.recipe import Recipe
from models.spec.resolve import with_steps

FRUITLESS_LIMIT = 3
"""attempts in a row that their runner lost, after which a job that does not get on is given up"""
ABANDONED_LIMIT = 10
"""the same, of attempts lost with their worker: that may be anybody's doing, but a job must not kill hosts for ever"""
_STOPPED = {
    JobState.RUNNING: JobState.QUEUED,
    JobState.PAUSING: JobState.PAUSED,
    JobState.CANCELLING: JobState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt's hold on a job."""

    job_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Reported:
    """The values at a step, by the names of their curves, and a picture of that moment as PNG, if one was drawn."""

    step: int
    values: Mapping[str, float | None]
    sample: bytes | None = None


def claim(job_id: str, owner: str) -> Claim | None:
    """None when the job is not waiting: someone else has it, or it was paused, cancelled or finished."""
    with unit_of_work() as session:
        moved = rows.move(
            session,
            job_id,
            JobState.RUNNING,
            source={JobState.QUEUED},
            owner=owner,
            fence=Job.fence + 1,
            lease_expires=epoch_now() + get_settings().lease_s,
            heartbeat_at=epoch_now(),
            started_at=rows.first_start(),
        )
        row = rows.find(session, job_id) if moved else None
        return None if row is None else Claim(job_id, row.fence)


def renew(job_id: str, fence: int, step: int, left_s: float | None, silent_s: float = 0.0) -> JobState:
    """Extend the lease and note the progress; answer the state, which may ask to pause or cancel.

    `left_s` is what the attempt has yet to go, where it is known; `silent_s` is the time since the runner's last
    heartbeat.
    """
    lease = epoch_now() + get_settings().lease_s
    with unit_of_work() as session:
        rows.write(
            session,
            job_id,
            fence,
            lease_expires=lease,
            heartbeat_at=epoch_now() - silent_s,
            step=rows.no_less(step),
            eta_s=left_s,
        )
        return JobState(_held(session, job_id).state)


def held(job_id: str, fence: int) -> JobView:
    """The job, if the attempt still holds it."""
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job_id)
        if row is None or row.fence != fence or row.state not in ACTIVE:
            raise FencedOut(f"Attempt {fence} no longer holds {job_id}.")
        return views.job(row)


def elapsed_s(job_id: str) -> float:
    """Seconds since the job first started, by the database's clock, which noted that."""
    with unit_of_work(read_only=True) as session:
        return rows.elapsed_s(session, job_id)


def settle_numerics(job_id: str, fence: int, numerics: Mapping[str, Any]) -> dict[str, Any]:
    """The first attempt's numerics stay the job's; every attempt gets those back."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        stored = _held(session, job_id).numerics
        if stored is None:
            stored = dict(numerics)
            rows.write(session, job_id, fence, numerics=stored)
        return stored


def settle_budget(job_id: str, fence: int, steps: int) -> Recipe:
    """The steps that fit into the minutes of the recipe's budget: the job's for good, and said in an event."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        spec = read_spec(_held(session, job_id).spec)
        whole = with_steps(spec.recipe, steps)
        minutes = spec.recipe.budget.minutes
        span = "1 minute is" if minutes == 1 else f"{minutes:g} minutes are"
        sentence = f"At the pace measured here {span} {steps} steps; these are the budget from now on."
        told = {"minutes": minutes, "steps": steps, "message": sentence}
        changed = spec.model_copy(update={"recipe": whole})
        rows.write(session, job_id, fence, ("budget", told), spec=changed.stored(), total=steps)
        return whole


def record_best(job_id: str, fence: int, step: int, metric: str, value: float) -> None:
    """The checkpoint of `step`, recorded already or next, is the best so far by `metric`: it will not be pruned.

    A resumed training tells it again; only what is new is an event.
    """
    best = {"step": step, "metric": metric, "value": value}
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        if _held(session, job_id).best != best:
            rows.write(session, job_id, fence, ("best", best), best=best)


def record_health(job_id: str, fence: int, health: Mapping[str, Any]) -> None:
    """What the newest evaluation shows. It is an event where trouble is over; its beginning was told."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        before = _held(session, job_id).health or {}
        over = health["state"] == "healthy" and before.get("state") == "troubled"
        told: list[Entry] = [("health", {**health, "kind": "recovered"})] if over else []
        rows.write(session, job_id, fence, *told, health=dict(health))


def record_event(job_id: str, fence: int, type_: str, data: Mapping[str, Any]) -> None:
    with unit_of_work() as session:
        rows.write(session, job_id, fence, (type_, dict(data)))


def rewind(job_id: str, fence: int, step: int) -> None:
    """Forgets what was recorded past `step`, where this attempt goes on."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence, ("rewound", {"to_step": step}), step=step, eta_s=None)
        best = _held(session, job_id).best
        if best is not None and best["step"] > step:
            rows.write(session, job_id, fence, best=None)
        health = _held(session, job_id).health
        if health is not None and health["step"] > step:
            rows.write(session, job_id, fence, health=None)
        files.rewind(session, job_id, step)


def record_reports(job_id: str, fence: int, reports: Sequence[Reported]) -> None:
    """Several at once, in the order in which they were made: all of them, or none where the attempt is fenced out.

    The job's step does not go back: a heartbeat may have told of a later one meanwhile.
    """
    store = Store(get_settings().artifacts)
    sha256s = [None if report.sample is None else store.put_bytes(report.sample) for report in reports]
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        points.put(session, job_id, [(report.step, report.values) for report in reports])
        told: list[Entry] = []
        for report, sha256 in zip(reports, sha256s, strict=True):
            told.append(("metrics", {"step": report.step, "values": dict(report.values)}))
            if report.sample is not None:
                artifact = _put_sample(session, job_id, report.step, sha256=sha256, size=len(report.sample))
                told.append(("sample", {"step": report.step, "artifact": artifact}))
        rows.write(session, job_id, fence, *told, step=rows.no_less(reports[-1].step))


def _put_sample(session: Session, job_id: str, step: int, **file: Any) -> str:
    name = f"sample-{step:09d}.png"
    return files.put_artifact(session, job_id, name=name, kind="sample", media_type="image/png", step=step, **file)


def record_checkpoint(job_id: str, fence: int, step: int, file: str, sha256: str, size: int) -> None:
    """Record `file`, a name in the job's folder, and drop older ones beyond the number kept, but never the best."""
    settings = get_settings()
    with unit_of_work() as session:
        told = ("checkpoint", {"step": step, "sha256": sha256})
        rows.write(session, job_id, fence, told, step=rows.no_less(step))
        if step > files.newest_step(session, job_id):
            rows.write(session, job_id, fence, **rows.GOT_ON)
        before = files.checkpoint_files(session, job_id)
        files.put_checkpoint(session, job_id, step=step, file=file, sha256=sha256, size=size, attempt=fence)
        best = (_held(session, job_id).best or {}).get("step")
        old = files.checkpoints(session, job_id)[settings.keep_checkpoints :]
        files.drop_checkpoints(session, [row.id for row in old if row.step != best])
        dropped = before - files.checkpoint_files(session, job_id)
    for name in dropped:
        attempt_files.remove(settings.checkpoints(job_id) / name, fence)


def sweep_files(job_id: str, fence: int) -> None:
    """Remove what earlier attempts left in the job's folder: checkpoints that no row names, unfinished files."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        named = files.checkpoint_files(session, job_id)
    attempt_files.sweep(get_settings().checkpoints(job_id), fence, named)


def recorded_checkpoints(job_id: str) -> list[CheckpointView]:
    """Newest first."""
    with unit_of_work(read_only=True) as session:
        return [views.checkpoint(row) for row in files.checkpoints(session, job_id)]


def succeed(
    job_id: str,
    fence: int,
    export: Path,
    card: Mapping[str, Any],
    *,
    step: int,
    figures: Mapping[str, float | None],
    provenance: Mapping[str, Any] | None = None,
    reason: tuple[str, str] | None = None,
) -> str:
    """Stores the export, registers it as a model version and ends the job. Answers name@version.

    `step` is that of the checkpoint exported, `figures` what was measured there. The card gets them, or else the
    report's values of that step, and the artifact id of its sample. `reason`, code and sentence, is why the job ended
    before its budget did.
    """
    size = export.stat().st_size
    sha256 = Store(get_settings().artifacts).put_file(export)
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        job = _held(session, job_id)
        files.put_artifact(
            session,
            job_id,
            name="export.safetensors",
            kind="export",
            media_type="application/octet-stream",
            sha256=sha256,
            size=size,
            step=step,
        )
        measured = {"figures": dict(figures)} if figures else {}
        version = models.add_version(
            session,
            job.model_name,
            job_id=job_id,
            export_sha256=sha256,
            export_bytes=size,
            recipe=read_spec(job.spec).recipe.model_dump(mode="json"),
            step=step,
            card={**card, **files.last_report(session, job_id, step), **measured},
        )
        model = f"{job.model_name}@{version}"
        result = {"model": model, "export_sha256": sha256, "step": step, "figures": dict(figures)}
        if provenance is not None:
            result["provenance"] = dict(provenance)
        end(session, job_id, fence, JobState.SUCCEEDED, reason=reason, result=result)
    return model


def measured(
    job_id: str,
    fence: int,
    figures: Mapping[str, float | None],
    provenance: Mapping[str, Any],
    report: bytes,
    picture: bytes | None = None,
) -> None:
    """Ends a job that evaluates. `report` is the whole evaluation as JSON, `picture` a PNG; a model's card gets the
    figures.
    """
    store = Store(get_settings().artifacts)
    left = {("evaluation.json", "application/json"): report, ("evaluation.png", "image/png"): picture}
    stored = {kind: (store.put_bytes(data), len(data)) for kind, data in left.items() if data is not None}
    result = {"figures": dict(figures), "provenance": dict(provenance)}
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        for (name, media_type), (sha256, size) in stored.items():
            files.put_artifact(
                session,
                job_id,
                name=name,
                kind="evaluation",
                media_type=media_type,
                sha256=sha256,
                size=size,
                step=None,
            )
        spec = read_spec(_held(session, job_id).spec)
        if isinstance(spec, Evaluate) and spec.weights.model is not None:
            models.note_evaluation(session, spec.weights.model, {"job": job_id, **result})
        end(session, job_id, fence, JobState.SUCCEEDED, result=result)


def fail(job_id: str, fence: int, code: str, message: str) -> None:
    with unit_of_work() as session:
        end(session, job_id, fence, JobState.FAILED, reason=(code, message))


def hold(job_id: str, fence: int, code: str, message: str) -> None:
    """Pause a job that needs a person: the message says what to do before it is resumed."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        cancelled = JobState(_held(session, job_id).state) == JobState.CANCELLING
        end(session, job_id, fence, JobState.CANCELLED if cancelled else JobState.PAUSED, reason=(code, message))


def stopped(job_id: str, fence: int) -> JobState:
    """End the attempt on request. The row says whether to pause, cancel or queue the job again."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        state = JobState(_held(session, job_id).state)
        end(session, job_id, fence, _STOPPED[state])
        return _STOPPED[state]


def lost(job_id: str, fence: int, code: str, message: str) -> JobState:
    """End an attempt whose runner died. The job is tried again, unless that was fruitless too often."""
    return _lose(job_id, fence, code, message, "fruitless", FRUITLESS_LIMIT)


def abandoned(job_id: str, fence: int, code: str, message: str, *, only_expired: bool = False) -> JobState:
    """End an attempt that was lost with its worker, its machine or its database: not by its own doing, for all we know.

    `only_expired`: unless its lease was renewed meanwhile.
    """
    return _lose(job_id, fence, code, message, "abandoned", ABANDONED_LIMIT, only_expired=only_expired)


def _lose(
    job_id: str, fence: int, code: str, message: str, counter: str, limit: int, *, only_expired: bool = False
) -> JobState:
    """Count the loss. The job keeps its place in the queue, or fails at the limit."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence, only_expired=only_expired)
        job = _held(session, job_id)
        state, count = JobState(job.state), getattr(job, counter) + 1
        target = _STOPPED[state]
        if state == JobState.RUNNING and count >= limit:
            target = JobState.FAILED
            message = f"{message} It was given up after {count} attempts in a row that saved no new checkpoint."
        end(session, job_id, fence, target, reason=(code, message), **{counter: count})
        return target


def _held(session: Session, job_id: str) -> Job:
    """The row, after a write has locked it."""
    row = rows.find(session, job_id)
    assert row is not None
    return row


def end(session: Session, job_id: str, fence: int, target: JobState, **values: Any) -> None:
    """In the caller's transaction. Raises FencedOut."""
    legal = ACTIVE & sources(target)
    if not rows.move(session, job_id, target, source=legal, under=fence, **values):
        raise FencedOut(f"Attempt {fence} no longer holds {job_id}.")
