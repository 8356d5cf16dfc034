"""Games as values: which networks play, and their losses beside the objective."""

from typing import Annotated, Literal

from pydantic import Field

from models.spec.base import Spec

Transform = Literal["colour", "translation", "cutout"]
Mask = Literal["random", "centre", "left"]


class Augment(Spec):
    """Augmentation of real and fake pictures before the critic (Zhao et al. 2020).

    With `target` each transform is applied with a probability that adapts until the mean sign of the critic's scores
    of real pictures is `target` (Karras et al. 2020); without it, always.
    """

    transforms: tuple[Transform, ...] = Field(default=("colour", "translation", "cutout"), min_length=1, max_length=3)
    target: float | None = Field(default=None, gt=0, lt=1)
    """the paper's value is 0.6"""
    pace: int = Field(default=500_000, ge=100, le=100_000_000)
    """pictures in which the probability can rise from 0 to 1"""


class InstanceNoise(Spec):
    """Normal noise on the critic's inputs that falls linearly to 0 (Sonderby et al. 2017; Arjovsky 2017)."""

    start: float = Field(default=0.1, gt=0, le=10)
    """standard deviation at the start"""
    until: float = Field(default=1.0, gt=0, le=1)
    """share of the budget after which it is 0"""


class Synthesis(Spec):
    """Noise to data; with `conditional` both players get the class label."""

    kind: Literal["synthesis"] = "synthesis"
    conditional: bool = False
    packing: int = Field(default=1, ge=1, le=16)
    """number of examples that the critic judges together (PacGAN, Lin et al. 2018)"""
    augment: Augment | None = None
    instance_noise: InstanceNoise | None = None


class Unpaired(Spec):
    """CycleGAN (Zhu et al. 2017): two generators, two critics, cycle and identity losses.

    Weights are absolute: the authors' code has cycle 10 and identity 0.5 x 10 = 5.
    """

    kind: Literal["unpaired"] = "unpaired"
    cycle: float = Field(default=10.0, ge=0, le=1000)
    identity: float = Field(default=5.0, ge=0, le=1000)
    pool: int = Field(default=50, ge=0, le=1000)
    """size of the pool of older fakes that the critics also see; 0: none"""


class Paired(Spec):
    """Picture to picture with a known target: pix2pix, SRGAN, inpainting.

    The generator's input is picture a of a pair, or is computed from the target: its edges, a smaller copy, or the
    picture with a hole. Weights are absolute; `adversarial` is that of the adversarial term.
    """

    kind: Literal["paired"] = "paired"
    task: Literal["given", "edges", "downscaling", "masks"] = "given"
    factor: Literal[2, 4] = 2
    """downscaling: how many times smaller each side is"""
    mask: Mask = "random"
    """masks: place of the hole: a box at a random position, the middle quarter, or the left half"""
    conditional: bool = True
    """whether the critic also sees the generator's input (Isola et al. 2016)"""
    adversarial: float = Field(default=1.0, ge=0, le=1000)
    pixel: float = Field(default=100.0, ge=0, le=10_000)
    """weight of the mean absolute difference from the target"""
    content: float = Field(default=0.0, ge=0, le=10_000)
    """weight of the mean squared difference from the target's features (Ledig et al. 2017)"""
    features: Literal["own", "vgg19"] = "own"
    """own: a network trained before the game to predict rotations of the dataset's pictures; vgg19: weights from a
    local file"""
    features_steps: int = Field(default=300, ge=1, le=100_000)
    """training steps of the feature network `own`"""

    def input_channels(self, channels: int) -> int:
        """Return the generator's input channels for pictures of `channels`: a hole adds one."""
        return channels + (self.task == "masks")

    def critic_input_channels(self, channels: int) -> int:
        """Return the critic's input channels for pictures of `channels`."""
        return channels + (self.input_channels(channels) if self.conditional else 0)


class Reconstruction(Spec):
    """An autoencoder without a critic: the output reproduces the input through a narrow code.

    With `divergence` > 0 the code is a Gaussian with a KL penalty towards the standard one: a VAE (Kingma and Welling
    2014), above 1 a beta-VAE (Higgins et al. 2017). Errors are summed over a picture and averaged over the batch.
    """

    kind: Literal["reconstruction"] = "reconstruction"
    loss: Literal["squared", "absolute", "cross_entropy"] = "squared"
    divergence: float = Field(default=0.0, ge=0, le=1000)


GameSpec = Annotated[Synthesis | Unpaired | Paired | Reconstruction, Field(discriminator="kind")]
