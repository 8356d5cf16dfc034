"""Networks as values. Sizes that follow from the data (side, channels, classes) are not repeated here."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Width = Annotated[int, Field(ge=4, le=1024)]
Hidden = Annotated[tuple[Annotated[int, Field(ge=1, le=8192)], ...], Field(max_length=8)]
Activation = Literal["relu", "leaky_relu", "tanh"]
Dropout = Annotated[float, Field(ge=0, lt=1)]


class MlpGenerator(Spec):
    """Latent vector through fully connected layers to a picture (tanh) or a point (linear)."""

    kind: Literal["mlp"] = "mlp"
    hidden: Hidden = (128,)
    activation: Activation = "leaky_relu"
    norm: Literal["none", "batch"] = "none"
    dropout: Dropout = 0.0


class DcganGenerator(Spec):
    """Transposed convolutions from a 4-7 px map, doubling to the data's side (Radford et al. 2015).

    `width` is the number of channels before the picture; each layer before has twice as many.
    With `refine` the last doubling keeps `width` channels and a 3x3 convolution paints the picture.
    """

    kind: Literal["dcgan"] = "dcgan"
    width: Width = 64
    norm: Literal["none", "batch"] = "batch"
    refine: bool = False


class ResnetGenerator(Spec):
    """CycleGAN's picture to picture (Johnson et al. 2016; Zhu et al. 2017): two halvings, blocks, two doublings."""

    kind: Literal["resnet"] = "resnet"
    width: Width = 64
    blocks: int = Field(default=9, ge=0, le=16)
    norm: Literal["none", "instance"] = "instance"
    upsample: Literal["transposed", "nearest"] = "transposed"
    """nearest: enlarge, then convolve; slower, and free of checkerboards"""
    skips: bool = False
    """add the maps of the way down to those of the same size on the way up, so that outlines stay where they are"""


class MlpCritic(Spec):
    """A picture or a point through fully connected layers to one score."""

    kind: Literal["mlp"] = "mlp"
    hidden: Hidden = (128,)
    activation: Activation = "leaky_relu"
    dropout: Dropout = 0.0
    input_scale: float = Field(default=1.0, gt=0, le=100)
    """what the input is multiplied by; points of small spread are told apart sooner with 4"""


class DcganCritic(Spec):
    """Strided convolutions down to a 4-7 px map, then one score (Radford et al. 2015)."""

    kind: Literal["dcgan"] = "dcgan"
    width: Width = 64
    norm: Literal["none", "batch"] = "batch"


class PatchCritic(Spec):
    """PatchGAN (Isola et al. 2016): a map of scores, each for one patch; 3 layers see 70 px."""

    kind: Literal["patch"] = "patch"
    width: Width = 64
    layers: int = Field(default=3, ge=1, le=5)
    norm: Literal["none", "instance"] = "instance"


GeneratorSpec = Annotated[MlpGenerator | DcganGenerator | ResnetGenerator, Field(discriminator="kind")]
CriticSpec = Annotated[MlpCritic | DcganCritic | PatchCritic, Field(discriminator="kind")]
