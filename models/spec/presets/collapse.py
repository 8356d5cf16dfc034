"""Presets against mode collapse: unrolled GAN, PacGAN, minibatch discrimination, mode-regularised GAN."""

from models.spec.data import DataSpec
from models.spec.games import Synthesis
from models.spec.nets import DcganAutoencoder, DcganCritic, DcganGenerator, MlpAutoencoder
from models.spec.penalties import R1, ModeRegulariser
from models.spec.presets.common import Fields, on_points, points_critic, synthesis
from models.spec.training import Adam, Budget, Linear, Turns


def unrolled(data: DataSpec) -> Fields:
    """Unroll five updates, as in the paper. Networks, rates and R1 are ours: without R1 the critic diverged."""
    ahead = synthesis(
        generator=DcganGenerator(width=32, refine=True),
        critic=DcganCritic(width=16, norm="none"),
        penalties=(R1(weight=1, every=8),),
        generator_optimizer=Adam(rate=5e-4),
        schedule=Linear(flat=0.5),
        turns=Turns(unrolled=5, unrolled_rate=0.005),
        budget=Budget(steps=1500),
    )
    fast = Adam(rate=2e-3, beta1=0, beta2=0.99)
    # Without R1 all modes of the ring were lost between 1,000 and 1,500 steps.
    return on_points(data, ahead, penalties=(R1(weight=1),), generator_optimizer=fast, critic_optimizer=fast)


def pacgan(data: DataSpec) -> Fields:
    """Use DCGAN with pairs judged together: Adam 2e-4 (.5), batches of 64, a latent of 100, as in the paper."""
    return on_points(data, synthesis(game=Synthesis(packing=2)))


def minibatch(data: DataSpec) -> Fields:
    mixing = points_critic(data, minibatch="discrimination")
    # All pairs within a batch are compared: a quarter of the batch is a sixteenth of the work.
    return on_points(data, synthesis(critic=DcganCritic(minibatch="discrimination")), critic=mixing, batch_size=64)


def mdgan(data: DataSpec) -> Fields:
    """Use weights .2 and .4 as in the paper's experiments on MNIST; other settings are ours."""
    adam = Adam(rate=5e-4)
    encoding = synthesis(
        generator=DcganAutoencoder(width=32),
        # It judges real, generated and reconstructed pictures in separate batches, which BatchNorm would reveal.
        critic=DcganCritic(width=32, norm="none"),
        penalties=(ModeRegulariser(),),
        generator_optimizer=adam,
        critic_optimizer=adam,
        schedule=Linear(flat=0.5),
    )
    return on_points(data, encoding, generator=MlpAutoencoder(hidden=(128, 128, 128)))
