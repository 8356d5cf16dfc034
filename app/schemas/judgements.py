"""Request body of /models/{name}@{version}/judgements."""

from typing import Literal

from pydantic import Field

from app.core.limits import MAX_ANSWER_MS, MAX_ROUND_PICTURES, MIN_ANSWER_MS, MIN_ROUND_PICTURES
from app.schemas.base import Name, RequestBody, Seed

HALF_ROUND = MAX_ROUND_PICTURES // 2


class AnswerIn(RequestBody):
    """One picture of a round, and what the person took it for."""

    truth: Literal["real", "fake"] = Field(description="Whether it came from the dataset or from the model.")
    index: int = Field(ge=0, lt=HALF_ROUND, description="Its number among those that the seed gives, from 0.")
    guess: Literal["real", "fake"]
    ms: int = Field(
        ge=MIN_ANSWER_MS, le=MAX_ANSWER_MS, description="Milliseconds from the picture's appearance to the answer."
    )


class JudgementIn(RequestBody):
    """A round: as many real pictures as fakes, in the order in which they were shown."""

    seed: Seed = Field(description="Seed of GET /datasets/{name}/pictures and of GET /sample.")
    judge: Name = Field(description="A name that tells judges apart; it need not be a person's.")
    answers: list[AnswerIn] = Field(min_length=MIN_ROUND_PICTURES, max_length=MAX_ROUND_PICTURES)
