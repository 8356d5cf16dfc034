"""The recipe: everything that decides what is trained, as one frozen value.

It is the request body, the stored column, the runner's input and the header of the weights file.
"""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.spec.base import PluginUsed, Spec
from models.spec.data import DataSpec, Images, Points, Sequences
from models.spec.games import GameSpec, Paired, Reconstruction, Synthesis
from models.spec.nets import CriticSpec, GeneratorSpec, TranslatingGenerator, padded_side
from models.spec.objectives import ObjectiveSpec
from models.spec.penalties import PenaltySpec
from models.spec.rules import RULES
from models.spec.training import Budget, Ema, Latent, OptimizerSpec, ScheduleSpec, Turns
from models.spec.watch import Watch

NEWEST_VERSION = 1
"""version of the recipe's words: whoever changes them adds a lift to models.spec.upgrade"""


class Recipe(Spec):
    """A whole recipe. Build one by hand, or from a family with models.spec.resolve."""

    version: Literal[1] = 1
    seed: int = Field(ge=0, lt=2**63)
    data: DataSpec
    game: GameSpec
    latent: Latent
    generator: GeneratorSpec
    critic: CriticSpec | None
    """null where nobody judges: in the reconstruction game, and so are the objective and the critic's optimiser"""
    objective: ObjectiveSpec | None
    penalties: tuple[PenaltySpec, ...] = Field(max_length=8)
    generator_optimizer: OptimizerSpec
    critic_optimizer: OptimizerSpec | None
    critic_clip: float | None = Field(gt=0, le=100)
    """weight clipping: after each of its moves the critic's weights are cut to [-clip, clip]"""
    schedule: ScheduleSpec
    turns: Turns
    ema: Ema
    batch_size: int = Field(ge=1, le=8192)
    precision: Literal["auto", "fp32", "bf16"]
    """auto: bf16 where the device computes in it, else fp32; decided at the first attempt and kept"""
    budget: Budget
    checkpoint_every: int = Field(ge=1)
    """steps between checkpoints; default a twentieth of the budget"""
    report_every: int = Field(ge=1)
    """steps between reports (losses and the fixed-noise samples); default a fortieth of the budget"""
    watch: Watch | None = None
    """evaluations while training; null: none, and the last checkpoint is served"""
    plugins: tuple[PluginUsed, ...] = Field(default=(), max_length=32, exclude_if=lambda used: not used)
    """those that it takes parts from, named by the service; without any it stays out of the JSON"""

    @model_validator(mode="after")
    def _coherent(self) -> "Recipe":
        for rule in RULES:
            if refusal := rule(self):
                pointer, message = refusal
                raise PydanticCustomError("incoherent", message, {"pointer": pointer})
        return self

    @property
    def class_conditional(self) -> bool:
        """Whether a class can be asked for."""
        return isinstance(self.game, Synthesis) and self.game.conditional

    @property
    def classes(self) -> int:
        """Number of classes that can be asked for; 0 when none can."""
        return self.data.classes if self.class_conditional and isinstance(self.data, Images) else 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example: (channels, side, side), (dimension,) for points, (length, symbols) for strings."""
        match self.data:
            case Points(dimension=dimension):
                return (dimension,)
            case Sequences(length=length, symbols=symbols):
                return (length, symbols)
            case data:
                return (data.channels, data.side, data.side)

    @property
    def critic_input_shape(self) -> tuple[int, ...]:
        """Of what a critic sees at once: packs and conditions are stacked in the first dimension."""
        first, *rest = self.shape
        match self.game:
            case Synthesis(packing=packing):
                return (first * packing, *rest)
            case Paired():
                return (self.game.critic_input_channels(first), *rest)
            case _:
                return (first, *rest)

    @property
    def input_channels(self) -> int:
        """Channels of the pictures that a translator is given."""
        channels = self.shape[0]
        return self.game.input_channels(channels) if isinstance(self.game, Paired) else channels

    @property
    def gaussian(self) -> bool:
        """Whether a code is a mean and a log variance."""
        return isinstance(self.game, Reconstruction) and self.game.divergence > 0

    @property
    def generates(self) -> bool:
        """Whether something new can be drawn from noise."""
        return self.game.kind == "synthesis" or self.gaussian

    @property
    def translates(self) -> bool:
        """Whether a picture can be given and another comes back."""
        return self.game.kind in ("unpaired", "paired")

    @property
    def fills_holes(self) -> bool:
        """Whether what is transparent in a picture is painted."""
        return isinstance(self.game, Paired) and self.game.task == "masks"

    @property
    def upscaling(self) -> int:
        """How many times larger a side is when it comes back."""
        return self.game.factor if isinstance(self.game, Paired) and self.game.task == "downscaling" else 1

    @property
    def side_multiple(self) -> int:
        """What sides of the pictures that are given must be divisible by."""
        return self.generator.side_multiple if isinstance(self.generator, TranslatingGenerator) else 1

    @property
    def receptive_radius(self) -> int:
        """Pixels of a given picture beyond which nothing plays a part in a pixel of what is made, norms apart."""
        return self.generator.receptive_radius if isinstance(self.generator, TranslatingGenerator) else 0

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """Sides of what is made of a given picture before it is cut out: padded to the multiple, then enlarged."""
        return self.upscaling * padded_side(height, self.side_multiple), self.upscaling * padded_side(
            width, self.side_multiple
        )

    def penalty(self, kind: str) -> PenaltySpec | None:
        """The penalty of this kind, where it is listed."""
        return next((penalty for penalty in self.penalties if penalty.kind == kind), None)
