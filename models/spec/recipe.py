"""The recipe: all settings of a training as one frozen value.

It is the request body, the stored column, the runner's input and the header of an export.
"""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from models.spec.base import PluginUsed, Spec
from models.spec.data import DataSpec, Images, Points, Sequences
from models.spec.data import Paired as PairedData
from models.spec.games import GameSpec, Paired, Reconstruction, Synthesis
from models.spec.nets import (
    CriticSpec,
    DcganAutoencoder,
    GeneratorSpec,
    MlpAutoencoder,
    TranslatingGenerator,
    padded_side,
)
from models.spec.objectives import ObjectiveSpec
from models.spec.penalties import PenaltySpec
from models.spec.rules import RULES
from models.spec.training import Budget, Ema, Latent, OptimizerSpec, ScheduleSpec, Turns
from models.spec.watch import Watch

NEWEST_VERSION = 1
"""version of the recipe's fields; a change of fields adds a function to models.spec.upgrade.UPGRADES"""


class Recipe(Spec):
    """A complete recipe. Build one by hand, or from a family with models.spec.resolve."""

    version: Literal[1] = 1
    seed: int = Field(ge=0, lt=2**63)
    data: DataSpec
    game: GameSpec
    latent: Latent
    generator: GeneratorSpec
    critic: CriticSpec | None
    """null in the reconstruction game, as are the objective and the critic's optimiser"""
    objective: ObjectiveSpec | None
    penalties: tuple[PenaltySpec, ...] = Field(max_length=8)
    generator_optimizer: OptimizerSpec
    critic_optimizer: OptimizerSpec | None
    critic_clip: float | None = Field(gt=0, le=100)
    """weight clipping: after each update the critic's weights are clamped to [-clip, clip]"""
    schedule: ScheduleSpec
    turns: Turns
    ema: Ema
    batch_size: int = Field(ge=1, le=8192)
    precision: Literal["auto", "fp32", "bf16"]
    """auto: bf16 if the device supports it, else fp32; decided at the first attempt and kept"""
    budget: Budget
    checkpoint_every: int = Field(ge=1)
    """steps between checkpoints; default a twentieth of the budget"""
    report_every: int = Field(ge=1)
    """steps between reports (losses and samples from fixed noise); default a fortieth of the budget"""
    probe: bool = Field(default=True, exclude_if=lambda probe: probe)
    """whether a probe comes with each fixed-noise picture (docs/api.md); left out of the JSON if true"""
    watch: Watch | None = None
    """evaluations during training; null: none, and the last checkpoint is served"""
    plugins: tuple[PluginUsed, ...] = Field(default=(), max_length=32, exclude_if=lambda used: not used)
    """the plugins whose parts it uses, filled in by the service; left out of the JSON if empty"""

    @model_validator(mode="after")
    def _coherent(self) -> "Recipe":
        for rule in RULES:
            if refusal := rule(self):
                pointer, message = refusal
                raise PydanticCustomError("incoherent", message, {"pointer": pointer})
        return self

    @property
    def class_conditional(self) -> bool:
        """Whether examples of a chosen class can be generated."""
        return isinstance(self.game, Synthesis) and self.game.conditional

    @property
    def classes(self) -> int:
        """Number of classes to choose from; 0 without classes."""
        return self.data.classes if self.class_conditional and isinstance(self.data, Images) else 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example: (channels, side, side), (dimension,) for points, (length, symbols) for strings."""
        match self.data:
            case Points(dimension=dimension):
                return (dimension,)
            case Sequences(length=length, symbols=symbols):
                return (length, symbols)
            case data:
                return (data.channels, data.side, data.side)

    @property
    def bits(self) -> Literal[8, 16]:
        """Bits of a sample of its pictures; 8 for points and strings, which have none."""
        return 8 if isinstance(self.data, Points | Sequences) else self.data.bits

    @property
    def critic_input_shape(self) -> tuple[int, ...]:
        """Shape of one input of the critic: packs and conditions are stacked in the first dimension."""
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
        """Channels of a translator's input, with that of a hole."""
        channels = self.source_channels
        return self.game.input_channels(channels) if isinstance(self.game, Paired) else channels

    @property
    def source_channels(self) -> int:
        """Channels of the pictures that a translator takes."""
        channels = self.data.input_channels if isinstance(self.data, PairedData) else None
        return channels or self.shape[0]

    @property
    def gaussian(self) -> bool:
        """Whether the code is a mean and a log variance (VAE)."""
        return isinstance(self.game, Reconstruction) and self.game.divergence > 0

    @property
    def generates(self) -> bool:
        """Whether new examples can be generated from noise."""
        return self.game.kind == "synthesis" or self.gaussian

    @property
    def decodes(self) -> bool:
        """Whether it turns latent vectors into examples, drawn from noise or given."""
        return self.game.kind in ("synthesis", "reconstruction")

    @property
    def decodes_pictures(self) -> bool:
        """Whether it turns latent vectors into pictures."""
        return self.decodes and isinstance(self.data, Images)

    @property
    def feature_source(self) -> Literal["encoder", "critic"] | None:
        """The network that turns one picture into features; None if it judges two at a time, or no pictures."""
        if not self.decodes_pictures:
            return None
        return "encoder" if isinstance(self.generator, MlpAutoencoder | DcganAutoencoder) else "critic"

    @property
    def translates(self) -> bool:
        """Whether it turns pictures into pictures."""
        return self.game.kind in ("unpaired", "paired")

    @property
    def fills_holes(self) -> bool:
        """Whether it paints the transparent parts of a picture."""
        return isinstance(self.game, Paired) and self.game.task == "masks"

    @property
    def upscaling(self) -> int:
        """How many times larger a translated picture's sides are."""
        return self.game.factor if isinstance(self.game, Paired) and self.game.task == "downscaling" else 1

    @property
    def side_multiple(self) -> int:
        """The number by which the sides of input pictures must be divisible."""
        return self.generator.side_multiple if isinstance(self.generator, TranslatingGenerator) else 1

    @property
    def receptive_radius(self) -> int:
        """Distance in input pixels beyond which no pixel influences an output pixel, apart from norms."""
        return self.generator.receptive_radius if isinstance(self.generator, TranslatingGenerator) else 0

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the output before cropping: the input padded to the multiple, times upscaling."""
        return self.upscaling * padded_side(height, self.side_multiple), self.upscaling * padded_side(
            width, self.side_multiple
        )

    def penalty(self, kind: str) -> PenaltySpec | None:
        """Return the penalty of this kind, or None."""
        return next((penalty for penalty in self.penalties if penalty.kind == kind), None)
