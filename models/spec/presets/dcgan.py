"""Settings of DCGAN, and of DCGAN with classes."""

from models.spec.data import DataSpec
from models.spec.games import Synthesis
from models.spec.nets import DcganCritic, DcganGenerator
from models.spec.objectives import NonSaturating
from models.spec.penalties import R1, Auxiliary
from models.spec.presets.common import Fields, is_small, synthesis
from models.spec.training import Adam, Budget, Latent, Linear


def dcgan(data: DataSpec) -> Fields:
    """Radford et al. 2015; their batch is 128."""
    adam = Adam(rate=2e-4, beta1=0.5, beta2=0.999)
    return synthesis(
        latent=Latent(size=100),
        generator=DcganGenerator(width=64, norm="batch"),
        critic=DcganCritic(width=64, norm="batch"),
        objective=NonSaturating(),
        generator_optimizer=adam,
        critic_optimizer=adam,
        batch_size=64,
    )


def cdcgan(data: DataSpec) -> Fields:
    return synthesis(
        game=Synthesis(conditional=True),
        latent=Latent(size=64),
        generator=DcganGenerator(width=32, refine=True),
        critic=DcganCritic(width=32, norm="none"),
        penalties=(R1(weight=1, every=8), Auxiliary(critic_weight=1, generator_weight=0.2)),
        generator_optimizer=Adam(rate=5e-4, beta1=0, beta2=0.99),
        critic_optimizer=Adam(rate=1e-3, beta1=0, beta2=0.99),
        schedule=Linear(flat=0.5),
        budget=Budget(steps=1200 if is_small(data) else 6000),
    )
