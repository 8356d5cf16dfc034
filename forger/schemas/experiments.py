"""Define the replies of /experiments."""

from pydantic import Field

from forger.schemas.base import Health, Json, Out, Time
from forger.schemas.figures import CellOut, FigureHead, JobFigure
from forger.schemas.jobs import Refusal
from forger.wire import JobState


class PlannedJob(Out):
    case: str
    seed: int
    family: str | None
    dataset: str
    model: str


class ExperimentPlanOut(Out):
    """The plan of an experiment. With refusals there are no jobs."""

    count: int
    jobs: list[PlannedJob]
    minutes: float | None = Field(
        description="Estimated minutes of all its jobs, one after the other; null if one job's are unknown."
    )
    notes: list[str] = Field(description="Notes by case, such as figures that will not be measured.")
    refusals: list[Refusal]


class ExperimentJob(Out):
    id: str
    case: str
    seed: int
    state: JobState
    step: int
    total: int
    model: str | None = Field(description="name@version; null until it is published.")
    health: Health | None = Field(description="Null until the first evaluation.")
    href: str


class MeasuredJob(ExperimentJob):
    figures: list[JobFigure] = Field(description="The figures behind the table; empty until the job has succeeded.")


class MeasuredJobList(Out):
    data: list[MeasuredJob]


class FigureOut(FigureHead):
    """One figure with one provenance: a column of the table."""

    cases: list[CellOut]


class ExperimentOut(Out):
    id: str
    name: str | None
    created_at: Time
    states: dict[JobState, int] = Field(description="Number of its jobs in each state.")
    cases: list[str]
    links: dict[str, str]


class ExperimentPage(Out):
    data: list[ExperimentOut]
    has_more: bool
    next_cursor: str | None


class ExperimentDetail(ExperimentOut):
    request: Json
    jobs: list[ExperimentJob]
    figures: list[FigureOut] = Field(description="The columns of the table, over jobs that have succeeded.")
