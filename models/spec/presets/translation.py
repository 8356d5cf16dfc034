"""Picture to picture."""

from models.spec.data import DataSpec, Paired, Unpaired
from models.spec.games import Unpaired as UnpairedGame
from models.spec.nets import PatchCritic, ResnetGenerator
from models.spec.objectives import LeastSquares, NonSaturating
from models.spec.penalties import R1
from models.spec.presets.common import Fields, synthesis
from models.spec.training import Adam, Budget, Ema, Latent, Linear, Turns


def cyclegan(data: DataSpec) -> Fields:
    side = data.side if isinstance(data, Unpaired | Paired) else 256
    published = synthesis(
        game=UnpairedGame(),
        latent=Latent(size=1),
        generator=ResnetGenerator(blocks=9 if side >= 256 else 6),
        critic=PatchCritic(),
        objective=LeastSquares(scale=1),
        turns=Turns(order="generator_first"),
        schedule=Linear(flat=0.5),
        batch_size=1,
        budget=Budget(steps=100_000),
    )
    return published if side >= 128 else published | _small_cyclegan()


def _small_cyclegan() -> Fields:
    """Ours, for pictures below the published 128 px and an hour of two cores at most: docs/recipes.md."""
    adam = Adam(rate=4e-4, beta1=0, beta2=0.99)
    return {
        "game": UnpairedGame(identity=0),
        "generator": ResnetGenerator(width=16, blocks=3, upsample="nearest", skips=True),
        "critic": PatchCritic(width=16, layers=2, norm="none"),
        "objective": NonSaturating(),
        "penalties": (R1(weight=10, every=8),),
        "generator_optimizer": adam,
        "critic_optimizer": adam,
        "ema": Ema(decay=0.998),
        "batch_size": 4,
        "budget": Budget(steps=3000),
    }
