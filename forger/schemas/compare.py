"""Define the reply of /compare."""

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
    metric: str | None = Field(description="The figure that selects its best checkpoint.")
    best: Best | None
    health: Health | None = Field(description="Null until the first evaluation.")


class DifferenceOut(Out):
    path: str = Field(description="JSON pointer in the recipes.")
    values: list[Any] = Field(description="One value per job, in their order; null also if a recipe does not have it.")


class ComparedCurve(Out):
    job: str
    points: list[tuple[int, float | None]] = Field(description="[step, value]; a null value was not finite.")


class ComparedCurves(Out):
    name: str
    jobs: list[ComparedCurve]


class Ranked(Out):
    job: str
    value: float | None = Field(description="A null value was not finite.")
    step: int | None = Field(description="Step of the measured checkpoint.")
    source: str = Field(description="The job that measured it: itself, or an evaluation.")


class Ranking(FigureHead):
    """Figures of one name and one provenance; others are never ranked together."""

    jobs: list[Ranked] = Field(description="Better ones first.")
    cases: list[CellOut] = Field(
        description="Statistics over jobs whose recipes differ only in the seed; `case` is the id of the first. "
        "Empty if there are no two such jobs."
    )


class ReportPicture(Out):
    step: int
    href: str


class ComparedSample(Out):
    """A sample of the job's model, from the noise that all jobs share if their latents have one shape."""

    job: str
    href: str | None = Field(description="A /sample address; null without a model, or if it does not draw.")
    report: ReportPicture | None = Field(description="The picture of its newest report.")


class ComparisonOut(Out):
    jobs: list[ComparedJob]
    differences: list[DifferenceOut]
    curves: list[ComparedCurves]
    figures: list[Ranking]
    samples: list[ComparedSample]
