"""Networks as values. Sizes that follow from the data (side, channels, classes) are not repeated here."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Width = Annotated[int, Field(ge=4, le=1024)]


Hidden = Annotated[tuple[Annotated[int, Field(ge=1, le=8192)], ...], Field(max_length=8)]


Activation = Literal["relu", "leaky_relu", "tanh"]


Dropout = Annotated[float, Field(ge=0, lt=1)]


CLASS_EMBEDDING = 32
"""numbers of the class embedding that all blocks of a hierarchical generator share"""


KERNELS, KERNEL_SIZE = 32, 4
"""of minibatch discrimination: kernels, and numbers of each"""


SEQUENCE_CRITIC_WIDENING = 4
"""how many times wider a sequence critic's layers are than its `width`"""


class MlpGenerator(Spec):
    """Latent vector through fully connected layers to a picture (tanh) or a point (linear).

    In a conditional game the class is concatenated to the latent (Mirza and Osindero 2014).
    """

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


class ResidualGenerator(Spec):
    """Residual blocks from a 4-7 px map, doubling to the data's side (Miyato et al. 2018; Brock et al. 2019)."""

    kind: Literal["residual"] = "residual"
    width: Width = 64
    """channels before the picture; twice as many on each smaller map, four times at most"""
    norm: Literal["none", "batch"] = "batch"
    """batch: class-conditional in a conditional game; none: scaled down at the start instead (Zhang et al. 2019)"""
    spectral: bool = False
    """hold the largest singular value of each layer at 1 (Zhang et al. 2018)"""
    attention: bool = False
    """one layer of self-attention at half the side (Zhang et al. 2018)"""
    hierarchical: bool = False
    """BigGAN: every block is fed its own share of the latent beside a shared embedding of the class"""


class ProgressiveGenerator(Spec):
    """ProGAN (Karras et al. 2018): begins at 4-7 px and doubles up to the data's side while it trains.

    All layers exist from the start. The budget is cut into as many equal stages as there are sides; in the first half
    of each the new layers fade in.
    """

    kind: Literal["progressive"] = "progressive"
    width: Width = 64


class StackedGenerator(Spec):
    """StackGAN (Zhang et al. 2017): a first stage draws at half the side, a second one redraws that in full.

    The first learns during the share `first` of the budget and is frozen afterwards. Classes are fed through
    conditioning augmentation: a Gaussian whose mean and spread follow from the class.
    """

    kind: Literal["stacked"] = "stacked"
    width: Width = 64
    condition: int = Field(default=32, ge=1, le=512)
    """size of the vector that carries the class; the last so many numbers of the latent are its noise"""
    divergence: float = Field(default=2.0, ge=0, le=100)
    """weight of that Gaussian's divergence from the standard one"""
    first: float = Field(default=0.5, gt=0, lt=1)


class MlpAutoencoder(Spec):
    """An MLP from the latent to the data and its mirror image back; without hidden layers both ways are linear."""

    kind: Literal["mlp_autoencoder"] = "mlp_autoencoder"
    hidden: Hidden = (400,)
    """from the latent towards the data"""
    activation: Activation = "relu"


class DcganAutoencoder(Spec):
    """DCGAN's generator as the decoder, and its mirror image as the encoder."""

    kind: Literal["dcgan_autoencoder"] = "dcgan_autoencoder"
    width: Width = 64
    norm: Literal["none", "batch"] = "batch"


class SequenceGenerator(Spec):
    """Latent to strings of symbols by the Gumbel-softmax (Jang et al. 2017; Kusner and Hernandez-Lobato 2016).

    A recurrent network chooses symbol after symbol, knowing the one before. Training sees soft symbols whose
    temperature falls in a line over the budget; served strings are whole symbols. The last length x symbols numbers of
    the latent become the Gumbel noise, so that a string follows from its latent.
    """

    kind: Literal["sequence"] = "sequence"
    width: Width = 64
    hot: float = Field(default=2.0, gt=0, le=100)
    """temperature at the start"""
    cold: float = Field(default=0.5, gt=0, le=100)
    """temperature at the end"""
    hard: bool = False
    """show the critic whole symbols, and let slopes pass as if they were soft"""


class UnetGenerator(Spec):
    """Pix2pix (Isola et al. 2016): down by strided convolutions, up again, with bridges between maps of one size.

    Without bridges it is the context encoder of Pathak et al. 2016.
    """

    kind: Literal["unet"] = "unet"
    width: Width = 64
    depth: int = Field(default=4, ge=1, le=8)
    """halvings; sides must be divisible by 2^depth"""
    norm: Literal["none", "batch", "instance"] = "instance"
    dropout: Dropout = 0.0
    """in the innermost three blocks of the way up; off when served"""
    skips: bool = True

    @property
    def side_multiple(self) -> int:
        """What sides of pictures must be divisible by."""
        return 1 << self.depth

    @property
    def receptive_radius(self) -> int:
        """Pixels of what is given beyond which nothing plays a part in a pixel of what is made."""
        return 3 * (self.side_multiple - 1)


class SrresnetGenerator(Spec):
    """SRGAN's generator (Ledig et al. 2017): residual blocks at the small side, then sub-pixel convolutions."""

    kind: Literal["srresnet"] = "srresnet"
    width: Width = 64
    blocks: int = Field(default=16, ge=1, le=32)
    norm: Literal["none", "batch"] = "batch"

    @property
    def side_multiple(self) -> int:
        """Any side will do."""
        return 1

    @property
    def receptive_radius(self) -> int:
        """As of a U-Net: two for each block, 4 for the first convolution, 1 and 3 for those after the blocks."""
        return 2 * self.blocks + 8


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

    @property
    def side_multiple(self) -> int:
        """What sides of pictures must be divisible by."""
        return 4

    @property
    def receptive_radius(self) -> int:
        """As of a U-Net: a block's two convolutions reach over two pixels of a quarter of the side."""
        return 8 * self.blocks + 16


TranslatingGenerator = UnetGenerator | SrresnetGenerator | ResnetGenerator
"""generators that are given pictures"""


MIN_TRANSLATED_SIDE = 16
"""the shortest side of a picture that leaves a translator's innermost maps something to reflect"""


def padded_side(side: int, multiple: int) -> int:
    """The side at which a translator is given a picture."""
    return -(-max(MIN_TRANSLATED_SIDE, side) // multiple) * multiple


Projection = Literal["projection", "none"]
"""How a critic of a conditional game sees the class: its embedding times the features, or not at all (AC-GAN)."""


BatchLayer = Literal["none", "discrimination", "deviation"]
"""A layer that shows a critic its whole batch: minibatch discrimination (Salimans et al. 2016), or one more map that
holds the batch's standard deviation (Karras et al. 2018)."""


class MlpCritic(Spec):
    """A picture or a point through fully connected layers to one score."""

    kind: Literal["mlp"] = "mlp"
    hidden: Hidden = (128,)
    activation: Activation = "leaky_relu"
    dropout: Dropout = 0.0
    input_scale: float = Field(default=1.0, gt=0, le=100)
    """what the input is multiplied by; points of small spread are told apart sooner with 4"""
    conditioning: Literal["concatenation", "none"] = "concatenation"
    """how the class is seen in a conditional game: beside the input (Mirza and Osindero 2014), or not at all"""
    minibatch: BatchLayer = "none"


class DcganCritic(Spec):
    """Strided convolutions down to a 4-7 px map, then one score (Radford et al. 2015)."""

    kind: Literal["dcgan"] = "dcgan"
    width: Width = 64
    norm: Literal["none", "batch", "spectral"] = "batch"
    """spectral: the largest singular value of each layer is held at 1 (Miyato et al. 2018)"""
    dropout: Dropout = 0.0
    conditioning: Projection = "projection"
    minibatch: BatchLayer = "none"


class ResidualCritic(Spec):
    """Residual blocks down to a 4-7 px map, then one score (Miyato et al. 2018; they sum the map over its places,
    where here each place keeps weights of its own)."""

    kind: Literal["residual"] = "residual"
    width: Width = 64
    norm: Literal["none", "spectral"] = "spectral"
    attention: bool = False
    """one layer of self-attention at half the side (Zhang et al. 2018)"""
    conditioning: Projection = "projection"
    minibatch: BatchLayer = "none"


class ProgressiveCritic(Spec):
    """ProGAN's critic: sees pictures at the side that its generator has reached (Karras et al. 2018)."""

    kind: Literal["progressive"] = "progressive"
    width: Width = 64
    minibatch: BatchLayer = "deviation"


class StackedCritic(Spec):
    """StackGAN's two critics: one sees pictures at half the side; from `first` of the budget on one sees whole ones."""

    kind: Literal["stacked"] = "stacked"
    width: Width = 64
    first: float = Field(default=0.5, gt=0, lt=1)
    conditioning: Projection = "projection"


class AutoencoderCritic(Spec):
    """BEGAN's critic rebuilds what it is shown; the score is the mean absolute error (Berthelot et al. 2017)."""

    kind: Literal["autoencoder"] = "autoencoder"
    width: Width = 64
    code: int = Field(default=64, ge=1, le=4096)
    """numbers at its waist"""


class SequenceCritic(Spec):
    """A whole string of symbols through fully connected layers to one score."""

    kind: Literal["sequence"] = "sequence"
    width: Width = 64


class PatchCritic(Spec):
    """PatchGAN (Isola et al. 2016): a map of scores, each for one patch; 3 layers see 70 px."""

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
    """The sides from the smallest map (4 to 7 px) up to `side`: 28 -> [7, 14, 28], 64 -> [4, 8, 16, 32, 64].

    Odd sides are rounded up on the way down: 30 -> [4, 8, 15, 30]. The network is len - 1 doublings deep.
    """
    sides = [side]
    while sides[0] > 7:
        sides.insert(0, -(-sides[0] // 2))
    return sides


def widths(width: int, sides: Sequence[int]) -> list[int]:
    """Channels of the maps of each side: `width` on the largest, twice as many on each smaller, four times at most."""
    return [width * min(2**steps, 4) for steps in reversed(range(len(sides)))]
