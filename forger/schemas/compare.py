"""Reply of /compare."""

from typing import Any

from pydantic import Field

from forger.schemas.base import Health, Json, Out
from forger.schemas.figures import CellOut, FigureHead
from forger.schemas.jobs import Best
from forger.wire import JobState


class ComparedJob(Out):
    id: str
    family: str | None
    dataset: str
    state: JobState
    seed: int
    case: Json | None
    model: str | None = Field(description="name@version; null until it is published.")
    step: int
    metric: str | None = Field(description="The figure that tells its best checkpoint.")
    best: Best | None
    health: Health | None = Field(description="Null until it was evaluated.")


class DifferenceOut(Out):
    path: str = Field(description="JSON pointer in the recipes.")
    values: list[Any] = Field(description="Of each job, in their order; null also where a recipe does not name it.")


class ComparedCurve(Out):
    job: str
    points: list[tuple[int, float | None]] = Field(description="[step, value]; null was not finite.")


class ComparedCurves(Out):
    name: str
    jobs: list[ComparedCurve]


class Ranked(Out):
    job: str
    value: float | None = Field(description="Null was not finite.")
    step: int | None = Field(description="Of the checkpoint that was measured.")
    source: str = Field(description="The job that measured it: itself, or one that evaluates.")


class Ranking(FigureHead):
    """Figures of one name and one provenance; others never stand in the same ranking."""

    jobs: list[Ranked] = Field(description="The better first.")
    cases: list[CellOut] = Field(
        description="Over jobs whose recipes differ in the seed alone; `case` is the id of the first. "
        "Empty where no two jobs are so."
    )


class ReportPicture(Out):
    step: int
    href: str


class ComparedSample(Out):
    """What the job's model draws from the noise that the others are given too, where their latents have one shape."""

    job: str
    href: str | None = Field(description="A /sample address; null where there is no model, or none that draws.")
    report: ReportPicture | None = Field(description="The picture of its newest report.")


class ComparisonOut(Out):
    jobs: list[ComparedJob]
    differences: list[DifferenceOut]
    curves: list[ComparedCurves]
    figures: list[Ranking]
    samples: list[ComparedSample]
