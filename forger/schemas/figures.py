"""Replies about a figure: of one job, or of one case over its seeds."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Json, Out


class FigureHead(Out):
    """What figures of one name and one provenance have in common."""

    name: str
    title: str
    better: Literal["low", "high"] | None
    provenance: Json
    told: str = Field(description="The provenance in a few words.")
    citation: str = Field(description="The line to cite it by.")


class CellOut(Out):
    """A figure of one case over its seeds."""

    case: str
    mean: float | None
    deviation: float | None = Field(description="Sample standard deviation; null below two seeds.")
    interval: tuple[float, float] | None = Field(
        description="95 % confidence interval of the mean, by Student's t; null below two seeds."
    )
    n: int = Field(description="Jobs whose figure was finite.")
    best: bool


class JobFigure(FigureHead):
    value: float | None = Field(description="Null was not finite.")
    step: int | None = Field(description="Of the checkpoint that was measured.")
    source: str = Field(description="The job that measured it: itself, or one that evaluates.")


class JobFigureList(Out):
    data: list[JobFigure]
