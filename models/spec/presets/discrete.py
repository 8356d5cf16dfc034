"""Strings of symbols."""

from models.spec.data import DataSpec, Sequences
from models.spec.nets import SequenceCritic, SequenceGenerator
from models.spec.objectives import Hinge
from models.spec.penalties import GradientPenalty
from models.spec.presets.common import Fields, synthesis
from models.spec.training import Adam, Budget, Latent, Linear

CODE = 8
"""numbers of the latent that are no Gumbel noise"""


def gumbel_gan(data: DataSpec) -> Fields:
    noise = data.length * data.symbols if isinstance(data, Sequences) else 0
    adam = Adam(rate=2e-3, beta1=0, beta2=0.99)
    return synthesis(
        latent=Latent(size=CODE + noise),
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
