"""Jobs for the tests of the services, created without HTTP."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.core.settings import get_settings
from app.db.session import unit_of_work
from app.services.creation import train
from app.services.idempotency import RecordReply
from app.services.jobs import attempts, lifecycle
from app.services.jobs.attempts import StepReport
from app.services.views import EventView, JobView
from forger.wire import JobState
from models.spec.resolve import resolve


def make_job(
    family: str = "cdcgan",
    dataset: str = "digits",
    steps: int = 20,
    *,
    seed: int = 1,
    devices: int = 1,
    start_from: str | None = None,
    answer: RecordReply | None = None,
    **overrides: Any,
) -> JobView:
    name, recipe = resolve(family, dataset=dataset, seed=seed, budget={"steps": steps}, overrides=overrides or None)
    model = f"{family}-{dataset}"
    return lifecycle.create(train.of_recipe(recipe, name, model, devices=devices, start_from=start_from), answer)


def put_in(state: JobState, job_id: str) -> None:
    """Bring a queued job to a state along legal transitions, with fence 1 if an attempt holds it."""
    if state == JobState.QUEUED:
        return
    if state == JobState.PAUSED:
        lifecycle.pause(job_id)
        return
    assert attempts.claim(job_id, "tests") is not None
    if state == JobState.PAUSING:
        lifecycle.pause(job_id)
    elif state in (JobState.CANCELLING, JobState.CANCELLED):
        lifecycle.cancel(job_id)
    if state == JobState.CANCELLED:
        attempts.stop(job_id, 1)
    elif state == JobState.FAILED:
        attempts.fail(job_id, 1, "internal_error", "It broke.")
    elif state == JobState.SUCCEEDED:
        attempts.finish_training(job_id, 1, export_file(), {}, step=20, figures={})


def record_report(
    job_id: str,
    fence: int,
    step: int,
    values: Mapping[str, float | None],
    sample: bytes | None,
    probe: bytes | None = None,
) -> None:
    """Record a single report."""
    attempts.record_reports(job_id, fence, [StepReport(step, values, sample, probe)])


def events_of(job_id: str, type_: str) -> list[EventView]:
    """Return the job's events of one type, oldest first."""
    return [event for event in lifecycle.events(job_id, limit=10_000) if event.type == type_]


def export_file() -> Path:
    path = get_settings().home / "some.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def expire(job_id: str) -> None:
    """End the job's lease now."""
    with unit_of_work() as session:
        session.execute(text("UPDATE jobs SET lease_expires = 1 WHERE id = :id"), {"id": job_id})
