"""Build the replies of /jobs from what services return."""

from collections.abc import Iterable

from app.core.errors import FieldError, ForgerError
from app.core.settings import link
from app.services.job_spec import JobSpec
from app.services.jobs.measurements import MeasuredFigure
from app.services.views import ArtifactView, JobView
from forger.schemas.base import Health, Json
from forger.schemas.figures import JobFigure, JobFigureList
from forger.schemas.jobs import (
    ArtifactOut,
    Best,
    EstimateOut,
    JobOut,
    Parameters,
    PlanOut,
    Progress,
    Reason,
    Refusal,
    Result,
)
from models.spec.estimates.resources import Estimate
from models.spec.recipe import Recipe

SUBRESOURCES = ("events", "metrics", "checkpoints", "artifacts", "samples")
"""paths below the address of a job"""


def recipe_json(recipe: Recipe) -> Json:
    return recipe.model_dump(mode="json")


def job_out(job: JobView) -> JobOut:
    href = link(f"/jobs/{job.id}")
    return JobOut(
        id=job.id,
        kind=job.kind,
        state=job.state,
        status_reason=job.status_reason and Reason.model_validate(job.status_reason),
        family=job.family,
        recipe=recipe_json(job.recipe),
        dataset=job.dataset,
        model=job.model_name,
        spec=job.spec,  # written as its base class: the reply has recipe, family and model beside it
        experiment=job.experiment_id,
        case=job.case,
        estimate=job.estimate and estimate_out(job.estimate, job.takes_s),
        numerics=job.numerics,
        attempt=job.attempt,
        progress=Progress(step=job.step, total=job.total or None, eta_s=job.eta_s),
        queue_position=job.queue_position,
        starts_in_s=job.starts_in_s,
        created_at=job.created_at,
        queued_at=job.queued_at,
        started_at=job.started_at,
        heartbeat_at=job.heartbeat_at,
        finished_at=job.finished_at,
        best=job.best and Best.model_validate(job.best),
        health=job.health and Health.model_validate(job.health),
        result=job.result and Result.model_validate(job.result),
        links={"self": href} | {path: f"{href}/{path}" for path in SUBRESOURCES} | _sample_link(job, href),
    )


def _sample_link(job: JobView, href: str) -> dict[str, str]:
    return {} if job.newest_sample is None else {"sample": f"{href}/artifacts/{job.newest_sample}"}


def estimate_out(estimate: Estimate, takes_s: float | None) -> EstimateOut:
    return EstimateOut(
        parameters=Parameters.model_validate(estimate.parameters),
        memory_bytes=estimate.memory_bytes,
        disk_bytes=estimate.disk_bytes,
        minutes=None if takes_s is None else round(takes_s / 60, 2),
    )


def plan_out(
    spec: JobSpec, notes: list[str], estimate: Estimate | None = None, takes_s: float | None = None
) -> PlanOut:
    """Describe a planned job; `estimate` and `takes_s` are of its training, if it has one."""
    return PlanOut(
        kind=spec.kind,
        spec=spec,
        recipe=recipe_json(spec.recipe),
        family=spec.family,
        dataset=spec.dataset_name,
        model=spec.model_name,
        estimate=None if estimate is None else estimate_out(estimate, takes_s),
        notes=notes,
        refusals=[],
    )


def refused_plan(kind: str, error: ForgerError) -> PlanOut:
    """Say why a job of the kind cannot be planned."""
    return PlanOut(
        kind=kind, spec=None, recipe=None, family=None, dataset=None, model=None, estimate=None, notes=[],
        refusals=refusals_out(error),
    )  # fmt: skip


def refusals_out(error: ForgerError) -> list[Refusal]:
    """List the reasons of an error, each with a pointer into the request; the empty pointer is the whole of it."""
    fields = error.errors or (FieldError("", error.detail),)
    return [Refusal(pointer=field.pointer, message=field.message) for field in fields]


def artifact_out(job_id: str, artifact: ArtifactView) -> ArtifactOut:
    return ArtifactOut(
        id=artifact.id,
        name=artifact.name,
        kind=artifact.kind,
        media_type=artifact.media_type,
        sha256=artifact.sha256,
        size=artifact.size,
        step=artifact.step,
        created_at=artifact.created_at,
        href=link(f"/jobs/{job_id}/artifacts/{artifact.id}"),
    )


def job_figures(figures: Iterable[MeasuredFigure]) -> JobFigureList:
    return JobFigureList(data=[JobFigure.model_validate(one) for one in figures])
