"""/experiments: one request, many jobs; their tables as JSON, CSV, Parquet or a picture."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response

from app.api.deps import Limit, json_body, negotiate
from app.api.openapi.refusals import refused
from app.api.replies import experiment_columns, formats
from app.api.requests.json_bodies import JsonRoute
from app.api.routes.create_job import Key
from app.core import tables
from app.core.errors import FieldError, ForgerError
from app.core.settings import link
from app.schemas.experiment_replies import experiment_detail, experiment_out, experiment_plan, measured_jobs
from app.schemas.experiments import ExperimentIn
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
from forger.schemas.jobs import Refusal

router = APIRouter(prefix="/experiments", tags=["experiments"], route_class=JsonRoute)

Format = Literal["json", "csv", "parquet", "png"]
MEDIA: dict[str, Format] = {"application/json": "json", **tables.MEDIA, "image/png": "png"}
MEDIA_OF = {format_: media for media, format_ in MEDIA.items()}


@router.post(
    "",
    status_code=201,
    response_model=ExperimentDetail,
    dependencies=[Depends(json_body)],
    responses={
        200: {"model": ExperimentPlanOut, "description": "With `dry_run`: which jobs there would be."},
        **refused(404, 409, 429, 507),
    },
)
def create_experiment(asked: ExperimentIn, response: Response, key: Key = None) -> ExperimentDetail | Response:
    """Start an experiment. Cases times seeds become jobs, all of them or none."""
    if asked.dry_run:
        return Response(_tried(asked).model_dump_json(), media_type="application/json")
    request = asked.model_dump(exclude={"dry_run"}, exclude_unset=True)
    mark = idempotency.fingerprint(["experiments", asked.model_dump()])
    with idempotency.once(key, mark) as turn:
        if isinstance(turn, Replay):
            made = experiments.get(turn.id)
        else:
            made = experiments.create(asked.name, request, _planned(asked), turn)
    if isinstance(turn, Replay):
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = link(f"/experiments/{made.id}")
    return experiment_detail(made)


def _planned(asked: ExperimentIn) -> list[MemberPlan]:
    return experiments.plan(**asked.model_dump(exclude={"dry_run"}))


def _tried(asked: ExperimentIn) -> ExperimentPlanOut:
    try:
        planned = _planned(asked)
        return experiment_plan(planned, experiments.takes_s(planned), experiments.notes(planned))
    except ForgerError as error:
        fields = error.errors or (FieldError("", error.detail),)
        refusals = [Refusal(pointer=field.pointer, message=field.message) for field in fields]
        return ExperimentPlanOut(count=0, jobs=[], minutes=None, notes=[], refusals=refusals)


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
    responses=refused(406) | {200: {"content": {media: {} for media in (*tables.MEDIA, "image/png")}}},
)
def get_experiment(
    experiment_id: str,
    format: Annotated[Format | None, Query(description="Wins over Accept.")] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Read an experiment. Its jobs, and by case the mean and spread of each figure over the seeds."""
    format_ = format or MEDIA[negotiate(accept, tuple(MEDIA))]
    body = _encoded(experiments.get(experiment_id), format_)
    return Response(body, media_type=MEDIA_OF[format_], headers={"Vary": "Accept", "Cache-Control": "no-cache"})


def _encoded(experiment: ExperimentView, format_: Format) -> bytes:
    detail = experiment_detail(experiment)
    match format_:
        case "json":
            return detail.model_dump_json().encode()
        case "csv" | "parquet":
            return tables.encode(experiment_columns.columns(detail), format_)
        case "png":
            return plots.png(picture(detail))


@router.get(
    "/{experiment_id}/jobs",
    response_model=MeasuredJobList,
    responses=formats.REPLIES,
)
def list_experiment_jobs(
    experiment_id: str,
    format: Annotated[formats.Format | None, Query(description="Wins over Accept.")] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Read an experiment's jobs, each with its own figures. As CSV and Parquet a line for each figure of each job."""
    found = measured_jobs(experiments.figures_of_jobs(experiment_id))
    return formats.reply(found, lambda: experiment_columns.columns_of_jobs(found.data), format, accept)


def picture(experiment: ExperimentDetail) -> plots.Picture:
    """The table, drawn."""
    rows = [
        [Cell(case), *(Cell(experiment_tables.words(cell), cell is not None and cell.best) for cell in cells)]
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


@router.delete("/{experiment_id}", status_code=204, responses=refused(409))
def delete_experiment(experiment_id: str) -> None:
    """Forget an experiment that has ended. Its jobs stay."""
    experiments.delete(experiment_id)
