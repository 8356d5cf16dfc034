"""/jobs: list, read, delete, and the three verbs; curves, checkpoints, artifacts, fixed-noise pictures."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.responses import FileResponse

from app.api.deps import Limit, TheInference, TheSettings
from app.api.openapi.refusals import refused
from app.api.replies import experiment_columns, formats
from app.core.errors import NotFound
from app.core.settings import link
from app.core.store import Store
from app.schemas.job_replies import artifact_out, job_figures, job_out
from app.schemas.jobs import Kind
from app.services.jobs import lifecycle
from app.services.views import JobView
from forger.schemas.figures import JobFigureList
from forger.schemas.jobs import (
    ArtifactList,
    CheckpointList,
    CheckpointOut,
    Curve,
    CurveList,
    JobOut,
    JobPage,
    SampleList,
    SampleOut,
)
from forger.wire import REPLY_POINTS, REPLY_POINTS_LEAST, REPLY_POINTS_MOST, JobState

router = APIRouter(prefix="/jobs", tags=["jobs"])


FOR_EVER = "private, max-age=31536000, immutable"


@router.get("")
def list_jobs(
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=100, description="The `next_cursor` of a page.")] = None,
    state: JobState | None = None,
    family: Annotated[str | None, Query(max_length=100)] = None,
    dataset: Annotated[str | None, Query(max_length=100)] = None,
    model: Annotated[str | None, Query(max_length=100, description="The name it publishes.")] = None,
    kind: Kind | None = None,
) -> JobPage:
    """List jobs, newest first."""
    found, cursor = lifecycle.list_jobs(
        limit=limit, after=after, state=state, family=family, dataset=dataset, model=model, kind=kind
    )
    return JobPage(data=[job_out(job) for job in found], has_more=cursor is not None, next_cursor=cursor)


@router.get("/{job_id}")
def get_job(job_id: str, inference: TheInference) -> JobOut:
    """Read one job."""
    return _told(lifecycle.get(job_id), inference)


@router.delete("/{job_id}", status_code=204, responses=refused(409))
def delete_job(job_id: str) -> None:
    """Forget a job that has ended. All it left goes with it, but for what it published."""
    lifecycle.delete(job_id)


@router.post("/{job_id}/cancel", responses=refused(409))
def cancel_job(job_id: str) -> JobOut:
    """Cancel a job at its next step. Nothing changes when it is cancelled already."""
    return job_out(lifecycle.cancel(job_id))


@router.post("/{job_id}/pause", responses=refused(409))
def pause_job(job_id: str) -> JobOut:
    """Pause a job at its next step. It saves and frees the device; `resume` goes on from there."""
    return job_out(lifecycle.pause(job_id))


@router.post("/{job_id}/resume", responses=refused(409, 429))
def resume_job(job_id: str) -> JobOut:
    """Queue a paused job again. It goes on from the step at which it was paused."""
    return job_out(lifecycle.resume(job_id))


@router.get(
    "/{job_id}/metrics",
    response_model=CurveList,
    responses=formats.REPLIES,
)
def get_job_metrics(
    job_id: str,
    name: Annotated[list[str], Query(default_factory=list, max_length=100, description="Only these curves.")],
    after_step: Annotated[int, Query(ge=-1, lt=2**31, description="Only what lies past this step.")] = -1,
    points: Annotated[
        int,
        Query(ge=REPLY_POINTS_LEAST, le=REPLY_POINTS_MOST, description="Most points of a curve; more are thinned."),
    ] = REPLY_POINTS,
    format: Annotated[formats.Format | None, Query(description="Wins over Accept.")] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Read the curves, by name. Long ones are thinned: no spike is lost, and the events hold every value.

    As CSV and Parquet a line for each point.
    """
    curves = lifecycle.metrics(job_id, names=name or None, after_step=after_step, max_points=points)
    found = [Curve(name=key, points=curve, thinned=more) for key, (curve, more) in curves.items()]
    return formats.reply(CurveList(data=found), lambda: experiment_columns.curves(found), format, accept)


@router.get("/{job_id}/figures")
def list_job_figures(job_id: str) -> JobFigureList:
    """Read a job's figures, each with a line to cite it by.

    Of a training those of its best checkpoint and of its evaluations.
    """
    return job_figures(lifecycle.figures(job_id))


@router.get("/{job_id}/checkpoints")
def list_job_checkpoints(job_id: str) -> CheckpointList:
    """List the checkpoints kept, newest first."""
    return CheckpointList(data=[CheckpointOut.model_validate(kept) for kept in lifecycle.checkpoints(job_id)])


@router.get("/{job_id}/artifacts")
def list_job_artifacts(job_id: str, kind: Annotated[str | None, Query(max_length=40)] = None) -> ArtifactList:
    """List the files that the job left."""
    return ArtifactList(data=[artifact_out(job_id, artifact) for artifact in lifecycle.artifacts(job_id, kind)])


@router.get("/{job_id}/artifacts/{artifact_id}", response_class=FileResponse, responses=refused(409, 416))
def get_job_artifact(
    job_id: str,
    artifact_id: str,
    settings: TheSettings,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Fetch one of the job's files. It never changes; ranges are answered."""
    found = next((item for item in lifecycle.artifacts(job_id) if item.id == artifact_id), None)
    if found is None:
        raise NotFound(f"Job {job_id} has no artifact '{artifact_id}'; GET /jobs/{job_id}/artifacts lists them.")
    headers = {"ETag": f'"{found.sha256}"', "Cache-Control": FOR_EVER}
    if if_none_match and found.sha256 in if_none_match:
        return Response(status_code=304, headers=headers)
    return FileResponse(
        Store(settings.artifacts).whole(found.sha256, found.name),
        media_type=found.media_type,
        headers=headers,
        filename=found.name,
        content_disposition_type="inline" if found.media_type.startswith("image/") else "attachment",
    )


@router.get("/{job_id}/samples")
def list_job_samples(job_id: str) -> SampleList:
    """List the pictures of the fixed noise. One at each report or at some, at most 40, always of the same noise."""
    return SampleList(
        data=[
            SampleOut(
                step=item.step or 0,
                artifact=item.id,
                href=link(f"/jobs/{job_id}/artifacts/{item.id}"),
                created_at=item.created_at,
            )
            for item in sorted(lifecycle.artifacts(job_id, "sample"), key=lambda item: item.step or 0)
        ]
    )


def _told(job: JobView, inference: TheInference) -> JobOut:
    """Who reads that a model is published can ask for it at once."""
    if job.result is not None and job.result.model is not None:
        inference.ensure_version(job.result.model)
    return job_out(job)
