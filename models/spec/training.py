"""Values of a recipe: optimisers, schedules, turns, latent prior, weight average and budget."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Rate = Annotated[float, Field(gt=0, le=10)]


class Adam(Spec):
    """Adam (Kingma and Ba 2014)."""

    kind: Literal["adam"] = "adam"
    rate: Rate = 2e-4
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)


class RmsProp(Spec):
    """RMSprop with torch's smoothing of .99."""

    kind: Literal["rmsprop"] = "rmsprop"
    rate: Rate = 5e-5


class Sgd(Spec):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    rate: Rate = 0.01
    momentum: float = Field(default=0.9, ge=0, lt=1)


OptimizerSpec = Annotated[Adam | RmsProp | Sgd, Field(discriminator="kind")]


class Constant(Spec):
    """A constant learning rate."""

    kind: Literal["constant"] = "constant"


class Linear(Spec):
    """A learning rate that is constant for the share `flat` of the budget, then falls linearly to 0."""

    kind: Literal["linear"] = "linear"
    flat: float = Field(default=0.5, ge=0, lt=1)


class Cosine(Spec):
    """A learning rate that falls along half a cosine to `floor` times its start."""

    kind: Literal["cosine"] = "cosine"
    floor: float = Field(default=0.0, ge=0, le=1)


ScheduleSpec = Annotated[Constant | Linear | Cosine, Field(discriminator="kind")]


class Turns(Spec):
    """The order and number of the players' updates in one step, and how the generator looks ahead.

    `simultaneous` computes both gradients before either player is updated.
    """

    order: Literal["critic_first", "generator_first", "simultaneous"] = "critic_first"
    critic_steps: int = Field(default=1, ge=1, le=100)
    """updates of the critic per update of the generator"""
    unrolled: int = Field(default=0, ge=0, le=50)
    """future updates of the critic through which the generator's gradient passes (Metz et al. 2017)"""
    unrolled_rate: Rate = 0.005
    """learning rate of the unrolled updates, which are plain gradient steps"""
    prediction: bool = False
    """the generator faces the critic extrapolated by its last update (Yadav et al. 2018)"""


MIN_TRUNCATION, MAX_TRUNCATION = 0.04, 10.0
"""thresholds beyond which numbers of a latent are drawn again, times its scale; the least is that of BigGAN's paper"""


class Latent(Spec):
    """The generator's input: independent numbers, normal or uniform in [-1, 1], times `scale`."""

    kind: Literal["normal", "uniform"] = "normal"
    size: int = Field(default=100, ge=1, le=4096)
    scale: float = Field(default=1.0, gt=0, le=100)


class Ema(Spec):
    """The exponential moving average of the generator's weights, which is served.

    The decay grows as (1 + step) / (10 + step) up to `decay`, so that short trainings do not lag. 0 serves the last
    weights.
    """

    decay: float = Field(default=0.999, ge=0, lt=1)


MAX_STEPS = 100_000_000


class Budget(Spec):
    """Length of the training in steps; one step is one update of the generator."""

    steps: int = Field(default=2000, ge=1, le=MAX_STEPS)
    minutes: float | None = Field(default=None, gt=0, le=60 * 24 * 30)
    """length in minutes instead: the first attempt measures its speed and replaces this by the steps that fit"""
