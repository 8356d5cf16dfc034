"""Define the replies of /models/{name}@{version}/judgements: how well people tell a model's pictures from real ones."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out, Time


class Answer(Out):
    """One picture of a round, and what the person took it for."""

    truth: Literal["real", "fake"]
    index: int = Field(description="Its number among those that the seed gives, from 0.")
    guess: Literal["real", "fake"]
    ms: int = Field(description="Milliseconds from the picture's appearance to the answer.")


class JudgementOut(Out):
    """One round of one judge."""

    id: str
    model: str = Field(description="name@version")
    judge: str
    seed: int
    n: int
    hits: int = Field(description="Right answers.")
    answers: tuple[Answer, ...] = Field(description="In the order in which the pictures were shown.")
    created_at: Time


class HumanProvenance(Out):
    """Where the pictures came from."""

    dataset: str
    split: Literal["train"]
    seeds: tuple[int, ...]
    side: int = Field(description="Pixels.")
    channels: int


class HumanFigure(Out):
    """The answers of all rounds of a version. People who see no difference have an accuracy of 0.5."""

    n: int = Field(description="Answers.")
    hits: int = Field(description="Right answers.")
    accuracy: float = Field(description="hits / n")
    interval: tuple[float, float] = Field(description="95 % interval of the accuracy, by Wilson.")
    fakes: int
    fakes_taken_for_real: int
    fooling_rate: float = Field(description="fakes_taken_for_real / fakes")
    median_ms: float = Field(description="Median response time in milliseconds.")
    judges: int = Field(description="Different names of judges.")
    rounds: int
    provenance: HumanProvenance


class JudgementPage(Out):
    figure: HumanFigure | None = Field(description="Of all rounds; null if there is none.")
    data: list[JudgementOut]
    has_more: bool
    next_cursor: str | None
