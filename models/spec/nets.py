"""Networks as values. Sizes that follow from the data (side, channels, classes) are not fields."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Width = Annotated[int, Field(ge=4, le=1024)]


Hidden = Annotated[tuple[Annotated[int, Field(ge=1, le=8192)], ...], Field(max_length=8)]


Activation = Literal["relu", "leaky_relu", "tanh"]


Dropout = Annotated[float, Field(ge=0, lt=1)]


CLASS_EMBEDDING = 32
"""size of the class embedding that all blocks of a hierarchical generator share"""


KERNELS, KERNEL_SIZE = 32, 4
"""minibatch discrimination: number of kernels, and numbers per kernel"""


SEQUENCE_CRITIC_WIDENING = 4
"""factor between a sequence critic's `width` and the width of its layers"""


class MlpGenerator(Spec):
    """Fully connected layers from the latent to a picture (tanh) or a point (linear).

    In a conditional game the class is appended to the latent (Mirza and Osindero 2014).
    """

    kind: Literal["mlp"] = "mlp"
    hidden: Hidden = (128,)
    activation: Activation = "leaky_relu"
    norm: Literal["none", "batch"] = "none"
    dropout: Dropout = 0.0


class DcganGenerator(Spec):
    """Transposed convolutions from a 4-7 px map, doubling to the data's side (Radford et al. 2015).

    `width` is the number of channels before the picture; each layer before has twice as many.
    With `refine` the last doubling keeps `width` channels, and a 3x3 convolution outputs the picture.
    """

    kind: Literal["dcgan"] = "dcgan"
    width: Width = 64
    norm: Literal["none", "batch"] = "batch"
    refine: bool = False


class ResidualGenerator(Spec):
    """Residual blocks from a 4-7 px map, doubling to the data's side (Miyato et al. 2018; Brock et al. 2019)."""

    kind: Literal["residual"] = "residual"
    width: Width = 64
    """channels before the picture; twice as many on each smaller map, at most four times as many"""
    norm: Literal["none", "batch"] = "batch"
    """batch: class-conditional in a conditional game; none: initial weights are scaled down (Zhang et al. 2019)"""
    spectral: bool = False
    """spectral norm: divide each layer's weights by their largest singular value (Zhang et al. 2018)"""
    attention: bool = False
    """one layer of self-attention at half the side (Zhang et al. 2018)"""
    hierarchical: bool = False
    """BigGAN: every block gets a part of the latent and a shared embedding of the class"""


class ProgressiveGenerator(Spec):
    """ProGAN (Karras et al. 2018): starts at 4-7 px and doubles up to the data's side during training.

    All layers exist from the start. The budget is divided into as many equal stages as there are sides; in the first
    half of each stage the new layers fade in.
    """

    kind: Literal["progressive"] = "progressive"
    width: Width = 64


class StackedGenerator(Spec):
    """StackGAN (Zhang et al. 2017): stage one generates at half the side, stage two refines at the full side.

    Stage one trains during the share `first` of the budget and is frozen afterwards. Classes enter through
    conditioning augmentation: a Gaussian whose mean and variance follow from the class.
    """

    kind: Literal["stacked"] = "stacked"
    width: Width = 64
    condition: int = Field(default=32, ge=1, le=512)
    """size of the class's vector; as many last numbers of the latent are its noise"""
    divergence: float = Field(default=2.0, ge=0, le=100)
    """weight of that Gaussian's KL divergence from the standard one"""
    first: float = Field(default=0.5, gt=0, lt=1)


class MlpAutoencoder(Spec):
    """An MLP decoder from latent to data and its mirrored encoder; without hidden layers both are linear."""

    kind: Literal["mlp_autoencoder"] = "mlp_autoencoder"
    hidden: Hidden = (400,)
    """widths from the latent to the data"""
    activation: Activation = "relu"


class DcganAutoencoder(Spec):
    """DCGAN's generator as the decoder, and a mirrored encoder."""

    kind: Literal["dcgan_autoencoder"] = "dcgan_autoencoder"
    width: Width = 64
    norm: Literal["none", "batch"] = "batch"


class SequenceGenerator(Spec):
    """Latent to strings of symbols by Gumbel-softmax (Jang et al. 2017; Kusner and Hernandez-Lobato 2016).

    A recurrent network chooses symbol after symbol, each with knowledge of the previous one. Training uses soft symbols
    whose temperature falls linearly over the budget; served strings have one-hot symbols. The last length x symbols
    numbers of the latent become the Gumbel noise, so that a string follows from its latent.
    """

    kind: Literal["sequence"] = "sequence"
    width: Width = 64
    hot: float = Field(default=2.0, gt=0, le=100)
    """temperature at the start"""
    cold: float = Field(default=0.5, gt=0, le=100)
    """temperature at the end"""
    hard: bool = False
    """straight-through: the critic gets one-hot symbols, and gradients pass as if they were soft"""


class UnetGenerator(Spec):
    """Pix2pix's U-Net (Isola et al. 2016): down by strided convolutions, up again, with skips between equal sizes.

    Without skips it is the context encoder of Pathak et al. 2016.
    """

    kind: Literal["unet"] = "unet"
    width: Width = 64
    depth: int = Field(default=4, ge=1, le=8)
    """halvings; sides must be divisible by 2^depth"""
    norm: Literal["none", "batch", "instance"] = "instance"
    dropout: Dropout = 0.0
    """dropout in the innermost three decoder blocks; off when served"""
    skips: bool = True

    @property
    def side_multiple(self) -> int:
        """The number by which the sides of pictures must be divisible."""
        return 1 << self.depth

    @property
    def receptive_radius(self) -> int:
        """Distance in input pixels beyond which no pixel influences an output pixel."""
        return 3 * (self.side_multiple - 1)


class SrresnetGenerator(Spec):
    """SRGAN's generator (Ledig et al. 2017): residual blocks at the low resolution, then sub-pixel convolutions."""

    kind: Literal["srresnet"] = "srresnet"
    width: Width = 64
    blocks: int = Field(default=16, ge=1, le=32)
    norm: Literal["none", "batch"] = "batch"

    @property
    def side_multiple(self) -> int:
        """The number by which sides must be divisible: any side fits."""
        return 1

    @property
    def receptive_radius(self) -> int:
        """Receptive radius: 2 per block, 4 for the first convolution, 1 and 3 for those after the blocks."""
        return 2 * self.blocks + 8


class ResnetGenerator(Spec):
    """CycleGAN's generator (Johnson et al. 2016; Zhu et al. 2017): two halvings, residual blocks, two doublings."""

    kind: Literal["resnet"] = "resnet"
    width: Width = 64
    blocks: int = Field(default=9, ge=0, le=16)
    norm: Literal["none", "instance"] = "instance"
    upsample: Literal["transposed", "nearest"] = "transposed"
    """nearest: upsample, then convolve; slower, and without checkerboard artefacts"""
    skips: bool = False
    """add the encoder's maps to the decoder's maps of the same size, so that outlines stay in place"""

    @property
    def side_multiple(self) -> int:
        """The number by which the sides of pictures must be divisible."""
        return 4

    @property
    def receptive_radius(self) -> int:
        """Receptive radius: each block's two convolutions cover two pixels at a quarter of the side."""
        return 8 * self.blocks + 16


TranslatingGenerator = UnetGenerator | SrresnetGenerator | ResnetGenerator
"""generators whose input is a picture"""


MIN_TRANSLATED_SIDE = 16
"""shortest input side of a translator: its innermost maps need pixels for reflection padding"""


def padded_side(side: int, multiple: int) -> int:
    """Return the side to which a translator's input is padded."""
    return -(-max(MIN_TRANSLATED_SIDE, side) // multiple) * multiple


Projection = Literal["projection", "none"]
"""how a critic of a conditional game gets the class: inner product of embedding and features, or not at all (AC-GAN)"""


BatchLayer = Literal["none", "discrimination", "deviation"]
"""critic layer over the whole batch: minibatch discrimination (Salimans et al. 2016), or the batch's standard deviation
(Karras et al. 2018)"""


class MlpCritic(Spec):
    """Fully connected layers from a picture or a point to one score."""

    kind: Literal["mlp"] = "mlp"
    hidden: Hidden = (128,)
    activation: Activation = "leaky_relu"
    dropout: Dropout = 0.0
    input_scale: float = Field(default=1.0, gt=0, le=100)
    """factor of the input; 4 helps to distinguish points of small spread"""
    conditioning: Literal["concatenation", "none"] = "concatenation"
    """how the class enters in a conditional game: appended to the input (Mirza and Osindero 2014), or not at all"""
    minibatch: BatchLayer = "none"


class DcganCritic(Spec):
    """Strided convolutions down to a 4-7 px map, then one score (Radford et al. 2015)."""

    kind: Literal["dcgan"] = "dcgan"
    width: Width = 64
    norm: Literal["none", "batch", "spectral"] = "batch"
    """spectral: each layer's weights are divided by their largest singular value (Miyato et al. 2018)"""
    dropout: Dropout = 0.0
    conditioning: Projection = "projection"
    minibatch: BatchLayer = "none"


class ResidualCritic(Spec):
    """Residual blocks down to a 4-7 px map, then one score (Miyato et al. 2018).

    The paper sums the map over its pixels; here each pixel has separate weights.
    """

    kind: Literal["residual"] = "residual"
    width: Width = 64
    norm: Literal["none", "spectral"] = "spectral"
    attention: bool = False
    """one layer of self-attention at half the side (Zhang et al. 2018)"""
    conditioning: Projection = "projection"
    minibatch: BatchLayer = "none"


class ProgressiveCritic(Spec):
    """ProGAN's critic: judges pictures at the side that its generator has reached (Karras et al. 2018)."""

    kind: Literal["progressive"] = "progressive"
    width: Width = 64
    minibatch: BatchLayer = "deviation"


class StackedCritic(Spec):
    """StackGAN's two critics: one at half the side; after the share `first` of the budget one at the full side."""

    kind: Literal["stacked"] = "stacked"
    width: Width = 64
    first: float = Field(default=0.5, gt=0, lt=1)
    conditioning: Projection = "projection"


class AutoencoderCritic(Spec):
    """BEGAN's autoencoder critic: the score is the mean absolute reconstruction error (Berthelot et al. 2017)."""

    kind: Literal["autoencoder"] = "autoencoder"
    width: Width = 64
    code: int = Field(default=64, ge=1, le=4096)
    """numbers of the code"""


class SequenceCritic(Spec):
    """Fully connected layers from a whole string of symbols to one score."""

    kind: Literal["sequence"] = "sequence"
    width: Width = 64


class PatchCritic(Spec):
    """PatchGAN (Isola et al. 2016): a map of scores, one per patch; with 3 layers a patch has 70 px."""

    kind: Literal["patch"] = "patch"
    width: Width = 64
    layers: int = Field(default=3, ge=1, le=5)
    norm: Literal["none", "instance"] = "instance"


GeneratorSpec = Annotated[
    MlpGenerator
    | DcganGenerator
    | ResidualGenerator
    | ProgressiveGenerator
    | StackedGenerator
    | MlpAutoencoder
    | DcganAutoencoder
    | SequenceGenerator
    | ResnetGenerator
    | UnetGenerator
    | SrresnetGenerator,
    Field(discriminator="kind"),
]


CriticSpec = Annotated[
    MlpCritic
    | DcganCritic
    | ResidualCritic
    | ProgressiveCritic
    | StackedCritic
    | AutoencoderCritic
    | SequenceCritic
    | PatchCritic,
    Field(discriminator="kind"),
]


def halvings(side: int) -> list[int]:
    """Return the sides from the smallest map (4 to 7 px) up to `side`: 28 -> [7, 14, 28], 64 -> [4, 8, 16, 32, 64].

    Halves of odd sides are rounded up: 30 -> [4, 8, 15, 30]. The network has len - 1 doublings.
    """
    sides = [side]
    while sides[0] > 7:
        sides.insert(0, -(-sides[0] // 2))
    return sides


def widths(width: int, sides: Sequence[int]) -> list[int]:
    """Return the channels at each side: `width` at the largest, doubled at each smaller one, at most 4 x `width`."""
    return [width * min(2**steps, 4) for steps in reversed(range(len(sides)))]
