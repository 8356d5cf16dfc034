"""Optimisers, learning-rate schedules, turns, prior, average and budget, as values."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Rate = Annotated[float, Field(gt=0, le=10)]


class Adam(Spec):
    """Kingma and Ba 2014."""

    kind: Literal["adam"] = "adam"
    rate: Rate = 2e-4
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)


class RmsProp(Spec):
    """RMSprop with torch's smoothing of .99."""

    kind: Literal["rmsprop"] = "rmsprop"
    rate: Rate = 5e-5


class Sgd(Spec):
    """Plain descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    rate: Rate = 0.01
    momentum: float = Field(default=0.9, ge=0, lt=1)


OptimizerSpec = Annotated[Adam | RmsProp | Sgd, Field(discriminator="kind")]


class Constant(Spec):
    """The learning rate stays."""

    kind: Literal["constant"] = "constant"


class Linear(Spec):
    """The learning rate stays for the share `flat` of the budget, then falls in a line to 0."""

    kind: Literal["linear"] = "linear"
    flat: float = Field(default=0.5, ge=0, lt=1)


class Cosine(Spec):
    """The learning rate falls along half a cosine to the share `floor` of itself."""

    kind: Literal["cosine"] = "cosine"
    floor: float = Field(default=0.0, ge=0, le=1)


ScheduleSpec = Annotated[Constant | Linear | Cosine, Field(discriminator="kind")]


class Turns(Spec):
    """Who moves when, within one step. `simultaneous` takes both gradients before either player moves."""

    order: Literal["critic_first", "generator_first", "simultaneous"] = "critic_first"
    critic_steps: int = Field(default=1, ge=1, le=100)
    """how often the critic moves for each move of the generator"""
    unrolled: int = Field(default=0, ge=0, le=50)
    """moves of the critic that the generator looks ahead, and learns through (Metz et al. 2017)"""
    unrolled_rate: Rate = 0.005
    """of the plain gradient moves looked ahead"""
    prediction: bool = False
    """the generator faces the critic where its last move, made once more, would take it (Yadav et al. 2018)"""


class Latent(Spec):
    """What the generator is fed: independent numbers, normal or uniform in [-1, 1], times `scale`."""

    kind: Literal["normal", "uniform"] = "normal"
    size: int = Field(default=100, ge=1, le=4096)
    scale: float = Field(default=1.0, gt=0, le=100)


class Ema(Spec):
    """The served weights: an exponential moving average of the generator's.

    The decay grows as (1 + step) / (10 + step) up to `decay`, so that short runs do not lag. 0 serves the last weights.
    """

    decay: float = Field(default=0.999, ge=0, lt=1)


MAX_STEPS = 100_000_000


class Budget(Spec):
    """How long to train, in steps: one step is one move of the generator."""

    steps: int = Field(default=2000, ge=1, le=MAX_STEPS)
    minutes: float | None = Field(default=None, gt=0, le=60 * 24 * 30)
    """how long to train instead: the first attempt measures its pace and puts the steps that fit in place of this"""
