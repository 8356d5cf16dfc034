"""Serve /experiments: many jobs by one request, and their tables as JSON, CSV, Parquet or a picture."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response

from app.api.deps import Limit, negotiate, require_json
from app.api.openapi.refusals import refusal_responses
from app.api.replies import experiment_columns, formats
from app.api.requests.json_bodies import JsonRoute
from app.api.routes.create_job import IdempotencyKey
from app.core import tables
from app.core.errors import ForgerError
from app.core.settings import link
from app.schemas.experiment_replies import experiment_detail, experiment_out, experiment_plan, measured_jobs
from app.schemas.experiments import ExperimentIn
from app.schemas.job_replies import refusals_out
from app.services import idempotency
from app.services.experiments import lifecycle as experiments
from app.services.experiments.lifecycle import ExperimentView, MemberPlan
from app.services.idempotency import Replay
from data import plots
from data.plots import Cell
from forger.schemas import experiment_tables
from forger.schemas.experiments import (
    ExperimentDetail,
    ExperimentPage,
    ExperimentPlanOut,
    MeasuredJobList,
)

router = APIRouter(prefix="/experiments", tags=["experiments"], route_class=JsonRoute)

Format = Literal["json", "csv", "parquet", "png"]
MEDIA: dict[str, Format] = {"application/json": "json", **tables.MEDIA_TYPES, "image/png": "png"}
MEDIA_OF = {format_: media for media, format_ in MEDIA.items()}


@router.post(
    "",
    status_code=201,
    response_model=ExperimentDetail,
    dependencies=[Depends(require_json)],
    responses={
        200: {"model": ExperimentPlanOut, "description": "With `dry_run`: the planned jobs."},
        **refusal_responses(404, 409, 429, 507),
    },
)
def create_experiment(
    body: ExperimentIn, response: Response, key: IdempotencyKey = None
) -> ExperimentDetail | Response:
    """Start an experiment. Cases times seeds become jobs, all of them or none."""
    if body.dry_run:
        return Response(_dry_run(body).model_dump_json(), media_type="application/json")
    request = body.model_dump(exclude={"dry_run"}, exclude_unset=True)
    mark = idempotency.fingerprint(["experiments", body.model_dump()])
    with idempotency.once(key, mark) as turn:
        if isinstance(turn, Replay):
            experiment = experiments.get(turn.id)
        else:
            experiment = experiments.create(body.name, request, _plan(body), turn)
    if isinstance(turn, Replay):
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = link(f"/experiments/{experiment.id}")
    return experiment_detail(experiment)


def _plan(body: ExperimentIn) -> list[MemberPlan]:
    return experiments.plan(**body.model_dump(exclude={"dry_run"}))


def _dry_run(body: ExperimentIn) -> ExperimentPlanOut:
    try:
        planned = _plan(body)
        return experiment_plan(planned, experiments.takes_s(planned), experiments.notes(planned))
    except ForgerError as error:
        return ExperimentPlanOut(count=0, jobs=[], minutes=None, notes=[], refusals=refusals_out(error))


@router.get("")
def list_experiments(
    limit: Limit = 20,
    after: Annotated[str | None, Query(max_length=100, description="The `next_cursor` of a page.")] = None,
) -> ExperimentPage:
    """List experiments, newest first."""
    found, cursor = experiments.page(limit, after)
    data = [experiment_out(experiment) for experiment in found]
    return ExperimentPage(data=data, has_more=cursor is not None, next_cursor=cursor)


@router.get(
    "/{experiment_id}",
    response_model=ExperimentDetail,
    responses=refusal_responses(406) | {200: {"content": {media: {} for media in (*tables.MEDIA_TYPES, "image/png")}}},
)
def get_experiment(
    experiment_id: str,
    format: Annotated[Format | None, Query(description="Overrides Accept.")] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Read an experiment. The reply has its jobs, and by case the mean and spread of each figure over the seeds."""
    format_ = format or MEDIA[negotiate(accept, tuple(MEDIA))]
    body = _encoded(experiments.get(experiment_id), format_)
    return Response(body, media_type=MEDIA_OF[format_], headers={"Vary": "Accept", "Cache-Control": "no-cache"})


def _encoded(experiment: ExperimentView, format_: Format) -> bytes:
    detail = experiment_detail(experiment)
    match format_:
        case "json":
            return detail.model_dump_json().encode()
        case "csv" | "parquet":
            return tables.encode(experiment_columns.cases_table(detail), format_)
        case "png":
            return plots.png(picture(detail))


@router.get(
    "/{experiment_id}/jobs",
    response_model=MeasuredJobList,
    responses=formats.TABLE_RESPONSES,
)
def list_experiment_jobs(
    experiment_id: str,
    format: Annotated[formats.Format | None, Query(description="Overrides Accept.")] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Read an experiment's jobs with their figures. CSV and Parquet have a line for each figure of each job."""
    found = measured_jobs(experiments.figures_of_jobs(experiment_id))
    return formats.table_reply(found, lambda: experiment_columns.jobs_table(found.data), format, accept)


def picture(experiment: ExperimentDetail) -> plots.Picture:
    """Draw the experiment's table."""
    rows = [
        [Cell(case), *(Cell(experiment_tables.cell_text(cell), cell is not None and cell.best) for cell in cells)]
        for case, cells in experiment_tables.rows(experiment)
    ]
    return plots.table(
        experiment_tables.title(experiment),
        experiment_tables.head(experiment),
        rows,
        experiment_tables.notes(experiment),
    )


@router.post("/{experiment_id}/cancel")
def cancel_experiment(experiment_id: str) -> ExperimentDetail:
    """Cancel every job of an experiment that has not ended."""
    return experiment_detail(experiments.cancel(experiment_id))


@router.delete("/{experiment_id}", status_code=204, responses=refusal_responses(409))
def delete_experiment(experiment_id: str) -> None:
    """Delete an experiment that has ended. Its jobs stay."""
    experiments.delete(experiment_id)
