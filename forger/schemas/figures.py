"""Define the figures of replies: of one job, or of one case over its seeds."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Json, Out


class FigureHead(Out):
    """The common facts of figures with one name and one provenance."""

    name: str
    title: str
    better: Literal["low", "high"] | None
    provenance: Json
    told: str = Field(description="The provenance in a few words.")
    citation: str = Field(description="A line that cites the figure.")


class CellOut(Out):
    """The statistics of a figure over the seeds of one case."""

    case: str
    mean: float | None
    deviation: float | None = Field(description="Sample standard deviation; null with fewer than two seeds.")
    interval: tuple[float, float] | None = Field(
        description="95 % confidence interval of the mean, by Student's t; null with fewer than two seeds."
    )
    n: int = Field(description="Jobs whose figure was finite.")
    best: bool


class JobFigure(FigureHead):
    value: float | None = Field(description="A null value was not finite.")
    step: int | None = Field(description="Step of the measured checkpoint.")
    source: str = Field(description="The job that measured it: itself, or an evaluation.")


class JobFigureList(Out):
    data: list[JobFigure]
