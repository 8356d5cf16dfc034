"""Serve /jobs: list, read, delete, cancel, pause, resume; curves, checkpoints, artifacts, fixed-noise pictures."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.responses import FileResponse, PlainTextResponse

from app.api.deps import InferenceDep, Limit, SettingsDep
from app.api.openapi.refusals import refusal_responses
from app.api.replies import experiment_columns, formats
from app.core.errors import NotFound
from app.core.settings import link
from app.core.store import Store
from app.schemas.job_replies import artifact_out, job_figures, job_out
from app.schemas.jobs import Kind
from app.services.jobs import lifecycle, logs
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
from forger.wire import DEFAULT_REPLY_POINTS, MAX_REPLY_POINTS, MIN_REPLY_POINTS, JobState

MAX_LOG_LINES = 2000

router = APIRouter(prefix="/jobs", tags=["jobs"])


IMMUTABLE = "private, max-age=31536000, immutable"


@router.get("")
def list_jobs(
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=100, description="The `next_cursor` of a page.")] = None,
    state: JobState | None = None,
    family: Annotated[str | None, Query(max_length=100)] = None,
    dataset: Annotated[str | None, Query(max_length=100)] = None,
    model: Annotated[str | None, Query(max_length=100, description="The name under which it publishes.")] = None,
    kind: Kind | None = None,
) -> JobPage:
    """List jobs, newest first."""
    jobs, cursor = lifecycle.list_jobs(
        limit=limit, after=after, state=state, family=family, dataset=dataset, model=model, kind=kind
    )
    return JobPage(data=[job_out(job) for job in jobs], has_more=cursor is not None, next_cursor=cursor)


@router.get("/{job_id}")
def get_job(job_id: str, inference: InferenceDep) -> JobOut:
    """Read one job."""
    return _job_out(lifecycle.get(job_id), inference)


@router.delete("/{job_id}", status_code=204, responses=refusal_responses(409))
def delete_job(job_id: str) -> None:
    """Delete a job that has ended, with all its files; published models stay."""
    lifecycle.delete(job_id)


@router.post("/{job_id}/cancel", responses=refusal_responses(409))
def cancel_job(job_id: str) -> JobOut:
    """Cancel a job at its next step. A cancelled job stays as it is."""
    return job_out(lifecycle.cancel(job_id))


@router.post("/{job_id}/pause", responses=refusal_responses(409))
def pause_job(job_id: str) -> JobOut:
    """Pause a job at its next step. It saves and frees the device; `resume` continues from there."""
    return job_out(lifecycle.pause(job_id))


@router.post("/{job_id}/resume", responses=refusal_responses(409, 429))
def resume_job(job_id: str) -> JobOut:
    """Queue a paused job again. It continues from the step at which it was paused."""
    return job_out(lifecycle.resume(job_id))


@router.get("/{job_id}/log", response_class=PlainTextResponse, responses={200: {"content": {"text/plain": {}}}})
def get_job_log(
    job_id: str, lines: Annotated[int, Query(ge=1, le=MAX_LOG_LINES, description="Most lines.")] = 200
) -> PlainTextResponse:
    """Read the end of the log of the newest attempt.

    Most lines are JSON objects; the process may have written others.
    """
    return PlainTextResponse(logs.tail(job_id, lines), headers={"Cache-Control": "no-cache"})


@router.get(
    "/{job_id}/metrics",
    response_model=CurveList,
    responses=formats.TABLE_RESPONSES,
)
def get_job_metrics(
    job_id: str,
    name: Annotated[list[str], Query(default_factory=list, max_length=100, description="Only these curves.")],
    after_step: Annotated[int, Query(ge=-1, lt=2**31, description="Only points after this step.")] = -1,
    points: Annotated[
        int,
        Query(ge=MIN_REPLY_POINTS, le=MAX_REPLY_POINTS, description="Most points of a curve; more are thinned."),
    ] = DEFAULT_REPLY_POINTS,
    format: Annotated[formats.Format | None, Query(description="Overrides Accept.")] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Read the curves, by name. Long ones are thinned: no spike is lost, and the events have every value.

    CSV and Parquet have a line for each point.
    """
    curves = lifecycle.metrics(job_id, names=name or None, after_step=after_step, max_points=points)
    thinned_curves = [Curve(name=key, points=curve, thinned=more) for key, (curve, more) in curves.items()]
    return formats.table_reply(
        CurveList(data=thinned_curves), lambda: experiment_columns.curves_table(thinned_curves), format, accept
    )


@router.get("/{job_id}/figures")
def list_job_figures(job_id: str) -> JobFigureList:
    """Read a job's figures, each with a citation.

    A training has those of its best checkpoint and of its evaluations.
    """
    return job_figures(lifecycle.figures(job_id))


@router.get("/{job_id}/checkpoints")
def list_job_checkpoints(job_id: str) -> CheckpointList:
    """List the job's checkpoints, newest first."""
    return CheckpointList(data=[CheckpointOut.model_validate(kept) for kept in lifecycle.checkpoints(job_id)])


@router.get("/{job_id}/artifacts")
def list_job_artifacts(job_id: str, kind: Annotated[str | None, Query(max_length=40)] = None) -> ArtifactList:
    """List the job's files."""
    return ArtifactList(data=[artifact_out(job_id, artifact) for artifact in lifecycle.artifacts(job_id, kind)])


@router.get("/{job_id}/artifacts/{artifact_id}", response_class=FileResponse, responses=refusal_responses(409, 416))
def get_job_artifact(
    job_id: str,
    artifact_id: str,
    settings: SettingsDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Fetch one of the job's files. It never changes; range requests work."""
    artifact = next((item for item in lifecycle.artifacts(job_id) if item.id == artifact_id), None)
    if artifact is None:
        raise NotFound(f"Job {job_id} has no artifact '{artifact_id}'; GET /jobs/{job_id}/artifacts lists them.")
    headers = {"ETag": f'"{artifact.sha256}"', "Cache-Control": IMMUTABLE}
    if if_none_match and artifact.sha256 in if_none_match:
        return Response(status_code=304, headers=headers)
    return FileResponse(
        Store(settings.artifacts).verified_path(artifact.sha256, artifact.name),
        media_type=artifact.media_type,
        headers=headers,
        filename=artifact.name,
        content_disposition_type="inline" if artifact.media_type.startswith("image/") else "attachment",
    )


@router.get("/{job_id}/samples")
def list_job_samples(job_id: str) -> SampleList:
    """List the pictures of the fixed noise. There are at most 40, one at each report or at some of them."""
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


def _job_out(job: JobView, inference: InferenceDep) -> JobOut:
    """Return the reply; let a client that reads of a published model use it at once."""
    if job.result is not None and job.result.model is not None:
        inference.versions.ensure(job.result.model)
    return job_out(job)
