"""The writes of one attempt to its job's row: claim, renew, record and end.

Every write names the fence that `claim` returned. Once another attempt holds the job, or the job has ended, the write
changes nothing and raises FencedOut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import FencedOut
from app.core.settings import get_settings
from app.core.states import ACTIVE, predecessors
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

MAX_RUNNER_LOSSES = 3
"""attempts in a row whose runner died before a new checkpoint; after so many the job fails"""
MAX_WORKER_LOSSES = 10
"""the same for attempts whose worker died; the job may be innocent, but it must not kill hosts for ever"""
EXPORT_KIND = "export"
"""kind of the artifact with the published weights of a job"""
_STATE_AFTER_STOP = {
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
class StepReport:
    """The curves' values at a step, and the sample sheet and the probe of that step if there are any."""

    step: int
    values: Mapping[str, float | None]
    """by the curves' names"""
    sample: bytes | None = None
    """PNG"""
    probe: bytes | None = None
    """JSON"""

    @property
    def files(self) -> "list[_ReportFile]":
        """The files that come with it, in the order of their events."""
        contents = {"sample": (self.sample, "png", "image/png"), "probe": (self.probe, "json", "application/json")}
        return [
            _ReportFile(kind, f"{kind}-{self.step:09d}.{suffix}", media_type, content)
            for kind, (content, suffix, media_type) in contents.items()
            if content is not None
        ]


@dataclass(frozen=True, slots=True)
class _ReportFile:
    """A file that comes with a report. `kind` is that of its artifact, and the type of its event."""

    kind: str
    name: str
    media_type: str
    content: bytes


def claim(job_id: str, owner: str) -> Claim | None:
    """Claim a queued job. Return None if it is not queued: another attempt has it, or it was paused or has ended."""
    with unit_of_work() as session:
        moved = rows.change_state(
            session,
            job_id,
            JobState.RUNNING,
            source={JobState.QUEUED},
            owner=owner,
            fence=Job.fence + 1,
            lease_expires=epoch_now() + get_settings().lease_s,
            heartbeat_at=epoch_now(),
            started_at=rows.started_at_or_now(),
        )
        row = rows.find(session, job_id) if moved else None
        return None if row is None else Claim(job_id, row.fence)


def renew(job_id: str, fence: int, step: int, eta_s: float | None, silent_s: float = 0.0) -> JobState:
    """Extend the lease, record the progress and return the job's state, which may request a pause or cancellation.

    `eta_s` is the seconds until the end, None if unknown; `silent_s` is the seconds since the runner's last heartbeat.
    """
    lease = epoch_now() + get_settings().lease_s
    with unit_of_work() as session:
        rows.write(
            session,
            job_id,
            fence,
            lease_expires=lease,
            heartbeat_at=epoch_now() - silent_s,
            step=rows.at_least(step),
            eta_s=eta_s,
        )
        return JobState(_locked_row(session, job_id).state)


def current_job(job_id: str, fence: int) -> JobView:
    """Return the job. Raises FencedOut if the attempt no longer holds it."""
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job_id)
        if row is None or row.fence != fence or row.state not in ACTIVE:
            raise FencedOut(f"Attempt {fence} no longer holds {job_id}.")
        return views.job(row)


def elapsed_s(job_id: str) -> float:
    """Return the seconds since the job's first attempt started, by the database's clock."""
    with unit_of_work(read_only=True) as session:
        return rows.elapsed_s(session, job_id)


def agree_numerics(job_id: str, fence: int, numerics: Mapping[str, Any]) -> dict[str, Any]:
    """Store the first attempt's numerics in the job, and return the stored ones to every attempt."""
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        stored = _locked_row(session, job_id).numerics
        if stored is None:
            stored = dict(numerics)
            rows.write(session, job_id, fence, numerics=stored)
        return stored


def fix_budget(job_id: str, fence: int, steps: int) -> Recipe:
    """Replace the minutes of the recipe's budget by the steps that fit into them, with an event; return the recipe."""
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        spec = read_spec(_locked_row(session, job_id).spec)
        recipe = with_steps(spec.recipe, steps)
        minutes = spec.recipe.budget.minutes
        span = "1 minute is" if minutes == 1 else f"{minutes:g} minutes are"
        sentence = f"At the pace measured here {span} {steps} steps; these are the budget from now on."
        event = {"minutes": minutes, "steps": steps, "message": sentence}
        fixed = spec.model_copy(update={"recipe": recipe})
        rows.write(session, job_id, fence, ("budget", event), spec=fixed.to_json(), total=steps)
        return recipe


def record_best(job_id: str, fence: int, step: int, metric: str, value: float) -> None:
    """Record that the checkpoint of `step` is the best so far by `metric`, so that it is not pruned.

    The checkpoint may be recorded before or after. A resumed training reports the same best again; only a new one is
    an event.
    """
    best = {"step": step, "metric": metric, "value": value}
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        if _locked_row(session, job_id).best != best:
            rows.write(session, job_id, fence, ("best", best), best=best)


def record_health(job_id: str, fence: int, health: Mapping[str, Any]) -> None:
    """Record what the newest evaluation shows. Add an event if trouble is over: its beginning was one already."""
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        before = _locked_row(session, job_id).health or {}
        over = health["state"] == "healthy" and before.get("state") == "troubled"
        entries: list[Entry] = [("health", {**health, "kind": "recovered"})] if over else []
        rows.write(session, job_id, fence, *entries, health=dict(health))


def record_event(job_id: str, fence: int, type_: str, data: Mapping[str, Any]) -> None:
    with unit_of_work() as session:
        rows.write(session, job_id, fence, (type_, dict(data)))


def rewind(job_id: str, fence: int, step: int) -> None:
    """Delete everything that was recorded after `step`, from which this attempt goes on."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence, ("rewound", {"to_step": step}), step=step, eta_s=None)
        best = _locked_row(session, job_id).best
        if best is not None and best["step"] > step:
            rows.write(session, job_id, fence, best=None)
        health = _locked_row(session, job_id).health
        if health is not None and health["step"] > step:
            rows.write(session, job_id, fence, health=None)
        files.delete_after(session, job_id, step)


def record_reports(job_id: str, fence: int, reports: Sequence[StepReport]) -> None:
    """Record reports, oldest first, in one transaction. Raises FencedOut and records none if the attempt is fenced out.

    The job's step is never lowered: a heartbeat may have recorded a later one meanwhile.
    """
    store = Store(get_settings().artifacts)
    stored = [[(file, store.put_bytes(file.content)) for file in report.files] for report in reports]
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        points.put(session, job_id, [(report.step, report.values) for report in reports])
        entries: list[Entry] = []
        for report, with_sha256 in zip(reports, stored, strict=True):
            entries.append(("metrics", {"step": report.step, "values": dict(report.values)}))
            for file, sha256 in with_sha256:
                artifact = _put_report_file(session, job_id, report.step, file, sha256)
                entries.append((file.kind, {"step": report.step, "artifact": artifact}))
        rows.write(session, job_id, fence, *entries, step=rows.at_least(reports[-1].step))


def _put_report_file(session: Session, job_id: str, step: int, file: _ReportFile, sha256: str) -> str:
    return files.put_artifact(
        session,
        job_id,
        name=file.name,
        kind=file.kind,
        media_type=file.media_type,
        sha256=sha256,
        size=len(file.content),
        step=step,
    )


def record_checkpoint(job_id: str, fence: int, step: int, file: str, sha256: str, size: int) -> None:
    """Record a checkpoint, `file` in the job's folder; keep the newest keep_checkpoints and the best, no others."""
    settings = get_settings()
    with unit_of_work() as session:
        event = ("checkpoint", {"step": step, "sha256": sha256})
        rows.write(session, job_id, fence, event, step=rows.at_least(step))
        if step > files.newest_step(session, job_id):
            rows.write(session, job_id, fence, **rows.RESET_LOSSES)
        before = files.checkpoint_files(session, job_id)
        files.put_checkpoint(session, job_id, step=step, file=file, sha256=sha256, size=size, attempt=fence)
        best = (_locked_row(session, job_id).best or {}).get("step")
        old = files.checkpoints(session, job_id)[settings.keep_checkpoints :]
        files.drop_checkpoints(session, [row.id for row in old if row.step != best])
        dropped = before - files.checkpoint_files(session, job_id)
    for name in dropped:
        attempt_files.remove(settings.checkpoints(job_id) / name, fence)


def sweep_files(job_id: str, fence: int) -> None:
    """Remove files of earlier attempts from the job's folder: checkpoints that no row names, and unfinished files."""
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        named = files.checkpoint_files(session, job_id)
    attempt_files.sweep(get_settings().checkpoints(job_id), fence, named)


def recorded_checkpoints(job_id: str) -> list[CheckpointView]:
    """Return the job's checkpoints, newest first."""
    with unit_of_work(read_only=True) as session:
        return [views.checkpoint(row) for row in files.checkpoints(session, job_id)]


def finish_training(
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
    """Store the export, register it as a model version, end the job, and return name@version.

    `step` is the step of the exported checkpoint, `figures` its measured figures. The version's card gets the figures,
    or the last report's values if there are none, and the artifact id of the last sample. `reason`, a code and a
    sentence, says why the job ended before its budget was used up.
    """
    size = export.stat().st_size
    sha256 = Store(get_settings().artifacts).put_file(export)
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        model = _add_version(session, job_id, sha256, size, card, step=step, figures=figures)
        result = {"model": model, "export_sha256": sha256, "step": step, "figures": dict(figures)}
        if provenance is not None:
            result["provenance"] = dict(provenance)
        end(session, job_id, fence, JobState.SUCCEEDED, reason=reason, result=result)
    return model


def publish_generator(
    job_id: str, fence: int, export: Path, card: Mapping[str, Any], *, step: int, figures: Mapping[str, float | None]
) -> str:
    """Store the export of an augmentation's generator and register it, as `finish_training`; the job goes on."""
    size = export.stat().st_size
    sha256 = Store(get_settings().artifacts).put_file(export)
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        noted = {**card, views.AUGMENTATION_KEY: {"job": job_id}}
        model = _add_version(session, job_id, sha256, size, noted, step=step, figures=figures)
        rows.write(session, job_id, fence, ("published", {"step": step, "message": f"Published {model}."}))
    return model


def _add_version(
    session: Session,
    job_id: str,
    sha256: str,
    size: int,
    card: Mapping[str, Any],
    *,
    step: int,
    figures: Mapping[str, float | None],
) -> str:
    """Record the stored export of `size` bytes as an artifact and as a model version; return name@version."""
    job = _locked_row(session, job_id)
    files.put_artifact(
        session,
        job_id,
        name="export.safetensors",
        kind=EXPORT_KIND,
        media_type="application/octet-stream",
        sha256=sha256,
        size=size,
        step=step,
    )
    card_figures = {"figures": dict(figures)} if figures else {}
    version = models.add_version(
        session,
        job.model_name,
        job_id=job_id,
        export_sha256=sha256,
        export_bytes=size,
        recipe=read_spec(job.spec).recipe.model_dump(mode="json"),
        step=step,
        card={**card, **files.last_report(session, job_id, step), **card_figures},
    )
    return f"{job.model_name}@{version}"


def finish_evaluation(
    job_id: str,
    fence: int,
    figures: Mapping[str, float | None],
    provenance: Mapping[str, Any],
    report: bytes,
    picture: bytes | None = None,
    curve: Mapping[str, Any] | None = None,
    probe: Mapping[str, Any] | None = None,
) -> None:
    """Store the results of an evaluation, note its figures on the evaluated model's card, and end the job.

    `report` is the whole evaluation as JSON, `picture` a PNG. A `curve` of fidelity and a linear `probe`, if they were
    measured, are noted on the card too, where each stays until the next one.
    """
    store = Store(get_settings().artifacts)
    contents = {("evaluation.json", "application/json"): report, ("evaluation.png", "image/png"): picture}
    stored = {kind: (store.put_bytes(data), len(data)) for kind, data in contents.items() if data is not None}
    result = {"figures": dict(figures), "provenance": dict(provenance)}
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
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
        spec = read_spec(_locked_row(session, job_id).spec)
        if isinstance(spec, Evaluate) and spec.weights.model is not None:
            models.write_on_card(session, spec.weights.model, "evaluation", {"job": job_id, **result})
            if curve is not None:
                noted = {"job": job_id, "provenance": dict(provenance), **curve}
                models.write_on_card(session, spec.weights.model, "curve", noted)
            if probe is not None:
                models.write_on_card(session, spec.weights.model, "probe", {"job": job_id, **probe})
        end(session, job_id, fence, JobState.SUCCEEDED, result=result)


def fail(job_id: str, fence: int, code: str, message: str) -> None:
    with unit_of_work() as session:
        end(session, job_id, fence, JobState.FAILED, reason=(code, message))


def pause_with_reason(job_id: str, fence: int, code: str, message: str) -> None:
    """Pause a job that cannot go on without a person; `message` says what to do before resuming it.

    Cancel it instead if that was requested.
    """
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        cancelled = JobState(_locked_row(session, job_id).state) == JobState.CANCELLING
        end(session, job_id, fence, JobState.CANCELLED if cancelled else JobState.PAUSED, reason=(code, message))


def stop(job_id: str, fence: int) -> JobState:
    """End the attempt as the job's state requests: pause it, cancel it, or queue it again. Return the new state."""
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        state = JobState(_locked_row(session, job_id).state)
        end(session, job_id, fence, _STATE_AFTER_STOP[state])
        return _STATE_AFTER_STOP[state]


def record_runner_loss(job_id: str, fence: int, code: str, message: str) -> JobState:
    """End an attempt whose runner died. Queue the job again, or fail it after MAX_RUNNER_LOSSES in a row."""
    return _record_loss(job_id, fence, code, message, "runner_losses", MAX_RUNNER_LOSSES)


def record_worker_loss(job_id: str, fence: int, code: str, message: str, *, only_expired: bool = False) -> JobState:
    """End an attempt whose worker, machine or database was lost, for which the job is not known to be the cause.

    Queue the job again, or fail it after MAX_WORKER_LOSSES in a row. With `only_expired`, raise FencedOut if the lease
    was renewed meanwhile.
    """
    return _record_loss(job_id, fence, code, message, "worker_losses", MAX_WORKER_LOSSES, only_expired=only_expired)


def _record_loss(
    job_id: str, fence: int, code: str, message: str, counter: str, limit: int, *, only_expired: bool = False
) -> JobState:
    """Count the loss. Queue the job again at its old place, or fail it at the limit."""
    with unit_of_work() as session:
        rows.lock(session, job_id, fence, only_expired=only_expired)
        job = _locked_row(session, job_id)
        state, count = JobState(job.state), getattr(job, counter) + 1
        target = _STATE_AFTER_STOP[state]
        if state == JobState.RUNNING and count >= limit:
            target = JobState.FAILED
            message = f"{message} The job failed after {count} attempts in a row that saved no new checkpoint."
        end(session, job_id, fence, target, reason=(code, message), **{counter: count})
        return target


def _locked_row(session: Session, job_id: str) -> Job:
    """Return the row, which this transaction has locked."""
    row = rows.find(session, job_id)
    assert row is not None
    return row


def end(session: Session, job_id: str, fence: int, target: JobState, **values: Any) -> None:
    """End the attempt and move the job to `target`, in the caller's transaction. Raises FencedOut."""
    legal = ACTIVE & predecessors(target)
    if not rows.change_state(session, job_id, target, source=legal, under_fence=fence, **values):
        raise FencedOut(f"Attempt {fence} no longer holds {job_id}.")
