"""Presets of generators from noise after DCGAN, from the conditional GAN to R3GAN and Gumbel-softmax."""

from models.spec.data import DataSpec, Sequences
from models.spec.games import Synthesis
from models.spec.nets import (
    AutoencoderCritic,
    DcganCritic,
    DcganGenerator,
    MlpCritic,
    MlpGenerator,
    ProgressiveCritic,
    ProgressiveGenerator,
    ResidualCritic,
    ResidualGenerator,
    SequenceCritic,
    SequenceGenerator,
    StackedCritic,
    StackedGenerator,
)
from models.spec.objectives import Began, D2gan, Hinge, Relativistic
from models.spec.penalties import R1, R2, Auxiliary, GradientPenalty
from models.spec.presets.common import Fields, is_small, on_points, synthesis
from models.spec.training import Adam, Budget, Ema, Latent, Linear


def cgan(data: DataSpec) -> Fields:
    return synthesis(
        game=Synthesis(conditional=True),
        generator=MlpGenerator(hidden=(128, 256, 512), norm="batch"),
        critic=MlpCritic(hidden=(512, 512), dropout=0.4),
        budget=Budget(steps=4000),
    )


def acgan(data: DataSpec) -> Fields:
    return synthesis(
        game=Synthesis(conditional=True),
        generator=DcganGenerator(width=32),
        critic=DcganCritic(width=32, norm="none", dropout=0.3, conditioning="none"),
        penalties=(Auxiliary(critic_weight=1, generator_weight=0.2),),
        generator_optimizer=Adam(rate=5e-4),
        critic_optimizer=Adam(rate=5e-4),
        schedule=Linear(flat=0.5),
        budget=Budget(steps=_steps(data, 2000, 4000)),
    )


def began(data: DataSpec) -> Fields:
    adam = Adam(rate=1e-3)
    return synthesis(
        latent=Latent(kind="uniform", size=64),
        # The paper has no norm and a lower diversity: all digits then became one picture. With diversity .9, pace .05
        # and a code of 32, MNIST's digits were black after 500 steps.
        generator=DcganGenerator(width=16, refine=True),
        critic=AutoencoderCritic(width=16, code=16),
        objective=Began(diversity=0.9, pace=0.05) if is_small(data) else Began(diversity=1, pace=0.3),
        generator_optimizer=adam,
        critic_optimizer=adam,
        schedule=Linear(flat=0.5),
        batch_size=32,
        budget=Budget(steps=_steps(data, 2000, 4000)),
    )


def sngan(data: DataSpec) -> Fields:
    adam = Adam(rate=4e-4, beta1=0, beta2=0.9)
    return _residual(
        critic=ResidualCritic(width=16),
        generator_optimizer=adam,
        critic_optimizer=adam,
        budget=Budget(steps=_steps(data, 2000, 3000)),
    )


def sagan(data: DataSpec) -> Fields:
    return _residual(
        game=Synthesis(conditional=True),
        generator=ResidualGenerator(width=16, spectral=True, attention=True),
        critic=ResidualCritic(width=16, attention=True),
        generator_optimizer=Adam(rate=5e-4, beta1=0, beta2=0.99),
        critic_optimizer=Adam(rate=1e-3, beta1=0, beta2=0.99),
        budget=Budget(steps=_steps(data, 2000, 3000)),
    )


def biggan(data: DataSpec) -> Fields:
    return _residual(
        game=Synthesis(conditional=True),
        latent=Latent(size=40),
        generator=ResidualGenerator(width=16, spectral=True, attention=True, hierarchical=True),
        critic=ResidualCritic(width=16, attention=True),
        generator_optimizer=Adam(rate=2e-4, beta1=0, beta2=0.999),
        critic_optimizer=Adam(rate=8e-4, beta1=0, beta2=0.999),
        budget=Budget(steps=_steps(data, 2000, 3000)),
    )


def progan(data: DataSpec) -> Fields:
    adam = Adam(rate=2e-3, beta1=0, beta2=0.99)
    return synthesis(
        latent=Latent(size=64),
        generator=ProgressiveGenerator(width=16),
        critic=ProgressiveCritic(width=16),
        penalties=(R1(weight=1, every=8),),
        generator_optimizer=adam,
        critic_optimizer=adam,
        schedule=Linear(flat=0.7),
        batch_size=32,
        budget=Budget(steps=_steps(data, 2000, 4000)),
    )


def stackgan(data: DataSpec) -> Fields:
    adam = Adam(rate=5e-4, beta1=0, beta2=0.99)
    return synthesis(
        game=Synthesis(conditional=True),
        latent=Latent(size=64),
        generator=StackedGenerator(width=16, condition=16),
        critic=StackedCritic(width=16),
        penalties=(R1(weight=1, every=8), Auxiliary(critic_weight=1, generator_weight=0.2)),
        generator_optimizer=adam,
        critic_optimizer=adam,
        batch_size=32,
        budget=Budget(steps=_steps(data, 2000, 3000)),
    )


def d2gan(data: DataSpec) -> Fields:
    fields = synthesis(
        # Critics with BatchNorm judge only contrast within a batch, and left backgrounds grey.
        generator=DcganGenerator(width=32, refine=True),
        critic=DcganCritic(width=32, norm="none"),
        objective=D2gan(),
        generator_optimizer=Adam(rate=5e-4),
        critic_optimizer=Adam(rate=5e-4),
        schedule=Linear(flat=0.5),
        budget=Budget(steps=_steps(data, 2000, 4000)),
    )
    return on_points(data, fields)


def r3gan(data: DataSpec) -> Fields:
    adam = Adam(rate=5e-4, beta1=0, beta2=0.99)
    fields = synthesis(
        latent=Latent(size=64),
        generator=ResidualGenerator(width=16, norm="none"),
        critic=ResidualCritic(width=16, norm="none"),
        objective=Relativistic(),
        penalties=(R1(weight=1, every=4), R2(weight=1, every=4)),
        batch_size=32,
        generator_optimizer=adam,
        critic_optimizer=adam,
        schedule=Linear(flat=0.5),
        budget=Budget(steps=_steps(data, 2000, 3000)),
    )
    faster = Adam(rate=2e-3, beta1=0, beta2=0.99)
    return on_points(
        data,
        fields,
        # Points between two modes come from the generator's transition between them, which narrows with training.
        generator=MlpGenerator(hidden=(256, 256, 256), activation="relu"),
        penalties=(R1(weight=2), R2(weight=2)),
        generator_optimizer=faster,
        critic_optimizer=faster,
        schedule=Linear(flat=0),
        ema=Ema(decay=0.998),
        budget=Budget(steps=10_000),
    )


def _residual(**fields: object) -> Fields:
    """Return SNGAN's settings, changed by `fields`: residual networks, hinge loss, a critic with spectral norm."""
    defaults: Fields = {
        "latent": Latent(size=64),
        "generator": ResidualGenerator(width=16),
        "objective": Hinge(),
        "schedule": Linear(flat=0.5),
        "batch_size": 32,
    }
    return synthesis(**(defaults | fields))


def _steps(data: DataSpec, small: int, large: int) -> int:
    """Choose the steps by the pictures' side: about two minutes of one core for 16 px, about five for MNIST."""
    return small if is_small(data) else large


GUMBEL_CODE_SIZE = 8
"""numbers of the latent that are not Gumbel noise"""


def gumbel_gan(data: DataSpec) -> Fields:
    noise = data.length * data.symbols if isinstance(data, Sequences) else 0
    adam = Adam(rate=2e-3, beta1=0, beta2=0.99)
    return synthesis(
        latent=Latent(size=GUMBEL_CODE_SIZE + noise),
        generator=SequenceGenerator(hot=1, cold=0.5, hard=True),
        critic=SequenceCritic(),
        objective=Hinge(),
        penalties=(GradientPenalty(weight=1),),
        generator_optimizer=adam,
        critic_optimizer=adam,
        schedule=Linear(flat=0.5),
        batch_size=128,
        budget=Budget(steps=4000),
    )
