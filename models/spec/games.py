"""Games: who faces whom."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Transform = Literal["colour", "translation", "cutout"]
Mask = Literal["random", "centre", "left"]


class Augment(Spec):
    """Both players' pictures are altered alike before the critic sees them (Zhao et al. 2020).

    With `target` each alteration happens with a probability that moves so that the critic's scores of real pictures
    are positive by that share more than negative (Karras et al. 2020); without, always.
    """

    transforms: tuple[Transform, ...] = Field(default=("colour", "translation", "cutout"), min_length=1, max_length=3)
    target: float | None = Field(default=None, gt=0, lt=1)
    """the papers' figure is 0.6"""
    pace: int = Field(default=500_000, ge=100, le=100_000_000)
    """pictures after which the probability could have gone from 0 to 1"""


class InstanceNoise(Spec):
    """Normal noise on all that the critic sees, falling in a line to 0 (Sonderby et al. 2017; Arjovsky 2017)."""

    start: float = Field(default=0.1, gt=0, le=10)
    """its standard deviation at the beginning"""
    until: float = Field(default=1.0, gt=0, le=1)
    """share of the budget after which it is 0"""


class Synthesis(Spec):
    """Noise to data; with `conditional` the players know the class label."""

    kind: Literal["synthesis"] = "synthesis"
    conditional: bool = False
    packing: int = Field(default=1, ge=1, le=16)
    """so many examples are judged together, as one (PacGAN: Lin et al. 2018)"""
    augment: Augment | None = None
    instance_noise: InstanceNoise | None = None


class Unpaired(Spec):
    """CycleGAN (Zhu et al. 2017): two generators, two critics, and the way back must end where it began.

    Weights are absolute: the paper's code has cycle 10 and identity 0.5 x 10 = 5.
    """

    kind: Literal["unpaired"] = "unpaired"
    cycle: float = Field(default=10.0, ge=0, le=1000)
    identity: float = Field(default=5.0, ge=0, le=1000)
    pool: int = Field(default=50, ge=0, le=1000)
    """pictures kept to show critics older fakes; 0 shows only the newest"""


class Paired(Spec):
    """Picture to picture where the right answer is known: pix2pix, SRGAN, inpainting.

    What the generator is given is picture a of a pair, or is made of the picture itself: its edges, a smaller copy,
    or the picture with a hole. Weights are absolute and stand beside the adversarial term, which has weight
    `adversarial`.
    """

    kind: Literal["paired"] = "paired"
    task: Literal["given", "edges", "downscaling", "masks"] = "given"
    factor: Literal[2, 4] = 2
    """downscaling: how many times smaller each side is"""
    mask: Mask = "random"
    """masks: where the hole is: a box anywhere, the middle quarter, or the left half"""
    conditional: bool = True
    """whether the critic sees what the generator was given (Isola et al. 2016)"""
    adversarial: float = Field(default=1.0, ge=0, le=1000)
    pixel: float = Field(default=100.0, ge=0, le=10_000)
    """weight of the mean absolute difference from the right answer"""
    content: float = Field(default=0.0, ge=0, le=10_000)
    """weight of the mean squared difference between features of both (Ledig et al. 2017)"""
    features: Literal["own", "vgg19"] = "own"
    """own: a network that learns, before the game begins, how the dataset's pictures are turned; vgg19: weights from
    a local file"""
    features_steps: int = Field(default=300, ge=1, le=100_000)
    """how long the own feature network learns"""

    def input_channels(self, channels: int) -> int:
        """Of what the generator is given, for pictures of so many: a hole is one more."""
        return channels + (self.task == "masks")

    def critic_input_channels(self, channels: int) -> int:
        """Of what the critic sees."""
        return channels + (self.input_channels(channels) if self.conditional else 0)


class Reconstruction(Spec):
    """Nobody judges: what goes in shall come out, through a narrow code.

    With `divergence` > 0 the code is a Gaussian held near the standard one: a VAE (Kingma and Welling 2014), with
    more than 1 a beta-VAE (Higgins et al. 2017). Errors are summed over a picture and averaged over the batch.
    """

    kind: Literal["reconstruction"] = "reconstruction"
    loss: Literal["squared", "absolute", "cross_entropy"] = "squared"
    divergence: float = Field(default=0.0, ge=0, le=1000)


GameSpec = Annotated[Synthesis | Unpaired | Paired | Reconstruction, Field(discriminator="kind")]
