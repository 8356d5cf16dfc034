"""Bodies of /experiments."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from app.core.limits import EXPERIMENT_JOBS
from app.core.settings import link
from app.core.states import JobState
from app.schemas.base import Health, In, Json, Name, Out, Seed, Time
from app.schemas.figures import CellOut, FigureHead, JobFigure
from app.schemas.jobs import FamilyOrRecipe, Refusal

if TYPE_CHECKING:  # the client reads these bodies too, without the database's libraries
    from app.services.experiments.lifecycle import ExperimentView, Member, Planned
    from app.services.jobs.measurements import Measured


class CaseIn(In):
    """One cell: what it changes, on top of what is common to all."""

    name: Name | None = Field(None, description="Default: its family's name.")
    recipe: FamilyOrRecipe | None = None
    overrides: Json | None = Field(None, description="Merged over those of the experiment, as RFC 7396.")


class ExperimentIn(In):
    """Cases times seeds, each a job. The cases are listed, or crossed from a grid, or the recipe alone."""

    name: Name | None = None
    recipe: FamilyOrRecipe | None = Field(None, description="Of every case that has none of its own.")
    dataset: str | None = Field(None, max_length=100)
    budget: Json | None = Field(None, description='For example {"steps": 1200}.')
    overrides: Json | None = Field(None, description="Changes to every case's family (RFC 7396).")
    cases: list[CaseIn] | None = Field(None, min_length=1, max_length=EXPERIMENT_JOBS)
    grid: dict[str, Annotated[list[Any], Field(min_length=1, max_length=EXPERIMENT_JOBS)]] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description='Values by JSON pointer into the recipe, crossed: {"/batch_size": [32, 64]}.',
    )
    seeds: (
        Annotated[int, Field(ge=1, le=EXPERIMENT_JOBS)]
        | Annotated[list[Seed], Field(min_length=1, max_length=EXPERIMENT_JOBS)]
    ) = Field(1, description="Seeds of every case, or their number: 3 stands for 1, 2 and 3.")
    model: Name | None = Field(None, description="What names of models begin with; default the experiment's name.")
    dry_run: bool = Field(False, description="Answer which jobs there would be, and create nothing.")


class PlannedJob(Out):
    case: str
    seed: int
    family: str | None
    dataset: str
    model: str


class ExperimentPlanOut(Out):
    """What an experiment would be. With refusals there are no jobs."""

    count: int
    jobs: list[PlannedJob]
    minutes: float | None = Field(
        description="That all its jobs take one after the other, about; null where that is not known of one."
    )
    notes: list[str] = Field(description="What is to be known beforehand, by case: what will not be measured.")
    refusals: list[Refusal]

    @classmethod
    def of(cls, planned: "list[Planned]", takes_s: float | None, notes: list[str]) -> "ExperimentPlanOut":
        jobs = [
            PlannedJob(
                case=one.case.name,
                seed=one.seed,
                family=one.spec.family,
                dataset=one.spec.dataset_name,
                model=one.spec.model_name,
            )
            for one in planned
        ]
        minutes = None if takes_s is None else round(takes_s / 60, 1)
        return cls(count=len(jobs), jobs=jobs, minutes=minutes, notes=notes, refusals=[])


class ExperimentJob(Out):
    id: str
    case: str
    seed: int
    state: JobState
    step: int
    total: int
    model: str | None = Field(description="name@version; null until it is published.")
    health: Health | None = Field(description="Null until it was evaluated.")
    href: str


class MeasuredJob(ExperimentJob):
    figures: list[JobFigure] = Field(description="What the table is made of; empty until the job has succeeded.")


class MeasuredJobList(Out):
    data: list[MeasuredJob]

    @classmethod
    def of(cls, jobs: "list[tuple[Member, list[Measured]]]") -> "MeasuredJobList":
        made = [
            MeasuredJob(
                **ExperimentJob.model_validate(job).model_dump(),
                figures=[JobFigure.model_validate(one) for one in figures],
            )
            for job, figures in jobs
        ]
        return cls(data=made)


class FigureOut(FigureHead):
    """One figure with one provenance: a column of the table."""

    cases: list[CellOut]


class ExperimentOut(Out):
    id: str
    name: str | None
    created_at: Time
    states: dict[JobState, int] = Field(description="How many of its jobs are in each state.")
    cases: list[str]
    links: dict[str, str]

    @classmethod
    def of(cls, experiment: "ExperimentView") -> "ExperimentOut":
        return cls(**_facts(experiment))


class ExperimentPage(Out):
    data: list[ExperimentOut]
    has_more: bool
    next_cursor: str | None


class ExperimentDetail(ExperimentOut):
    request: Json
    jobs: list[ExperimentJob]
    figures: list[FigureOut] = Field(description="The table, a figure at a time: of jobs that have succeeded.")

    @classmethod
    def of(cls, experiment: "ExperimentView") -> "ExperimentDetail":
        return cls(
            **_facts(experiment),
            request=experiment.request,
            jobs=[ExperimentJob.model_validate(job) for job in experiment.jobs],
            figures=[FigureOut.model_validate(figure) for figure in experiment.figures],
        )


def _facts(experiment: "ExperimentView") -> Json:
    own = link(f"/experiments/{experiment.id}")
    return {
        "id": experiment.id,
        "name": experiment.name,
        "created_at": experiment.created_at,
        "states": experiment.states,
        "cases": experiment.cases,
        "links": {"self": own, "table": f"{own}?format=csv", "picture": f"{own}?format=png", "jobs": f"{own}/jobs"},
    }
