"""Games: who faces whom."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec


class Synthesis(Spec):
    """Noise to picture; with `conditional` both players see the class label."""

    kind: Literal["synthesis"] = "synthesis"
    conditional: bool = False


class Unpaired(Spec):
    """CycleGAN (Zhu et al. 2017): two generators, two critics, and the way back must end where it began.

    Weights are absolute: the paper's code has cycle 10 and identity 0.5 x 10 = 5.
    """

    kind: Literal["unpaired"] = "unpaired"
    cycle: float = Field(default=10.0, ge=0, le=1000)
    identity: float = Field(default=5.0, ge=0, le=1000)
    pool: int = Field(default=50, ge=0, le=1000)
    """pictures kept to show critics older fakes; 0 shows only the newest"""


GameSpec = Annotated[Synthesis | Unpaired, Field(discriminator="kind")]
