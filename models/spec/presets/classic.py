"""Presets of the first GANs: GAN, WGAN, WGAN-GP, LSGAN."""

from models.spec.data import DataSpec
from models.spec.nets import DcganCritic, MlpCritic, MlpGenerator
from models.spec.objectives import LeastSquares, Wasserstein
from models.spec.penalties import GradientPenalty
from models.spec.presets.common import Fields, on_points, synthesis
from models.spec.training import Adam, Latent, RmsProp, Turns


def gan(data: DataSpec) -> Fields:
    # With beta1 .9 and dropout .5, 1,500 steps on MNIST give blurred noise; with these settings they give digits.
    mlp = synthesis(
        latent=Latent(kind="uniform", size=100),
        generator=MlpGenerator(hidden=(128,)),
        critic=MlpCritic(hidden=(128,), dropout=0.3),
        generator_optimizer=Adam(rate=1e-3, beta1=0.5),
        critic_optimizer=Adam(rate=5e-4, beta1=0.5),
        batch_size=128,
    )
    return on_points(data, mlp)


def wgan(data: DataSpec) -> Fields:
    clipped = synthesis(
        objective=Wasserstein(),
        generator_optimizer=RmsProp(),
        critic_optimizer=RmsProp(),
        critic_clip=0.01,
        turns=Turns(critic_steps=5),
    )
    rms = RmsProp(rate=1e-3)
    return on_points(data, clipped, generator_optimizer=rms, critic_optimizer=rms, critic_clip=0.1)


def wgan_gp(data: DataSpec) -> Fields:
    adam = Adam(rate=1e-4, beta1=0.5, beta2=0.9)
    penalised = synthesis(
        latent=Latent(size=128),
        critic=DcganCritic(norm="none"),
        objective=Wasserstein(),
        penalties=(GradientPenalty(weight=10),),
        generator_optimizer=adam,
        critic_optimizer=adam,
        turns=Turns(critic_steps=5),
        batch_size=50,
    )
    return on_points(data, penalised, penalties=(GradientPenalty(weight=0.1),), turns=Turns(critic_steps=3))


def lsgan(data: DataSpec) -> Fields:
    adam = Adam(rate=1e-3, beta1=0.5, beta2=0.99)
    squares = synthesis(objective=LeastSquares(), generator_optimizer=adam, critic_optimizer=adam, batch_size=128)
    return on_points(data, squares)
