"""How long a training takes: what its steps compute, and what a machine does of that in a second.

A step's work is counted from the recipe alone, as its memory is. The speed is the machine's: measured, or learned from
the jobs that it has done.
"""

from dataclasses import dataclass

from models.spec.critic_sizes import critic_size, features_size
from models.spec.games import Synthesis
from models.spec.generator_sizes import generator_size
from models.spec.recipe import Recipe
from models.spec.size import Size

FORWARD, BOTH, THROUGH = 1, 3, 2
"""passes' worth of a pass alone, of one with its gradients, and of one whose gradients go through to what is before"""
MOMENTS = 8
"""numbers read and written of each weight when it moves"""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one core does in a second: multiplications, numbers copied through memory, and passes of a short loop."""

    products: float
    numbers: float
    calls: float
    cores: int
    bf16: bool
    """whether it multiplies numbers of 16 bits"""


@dataclass(frozen=True, slots=True)
class Work:
    """Of a step: multiplications, numbers of maps and weights that go through memory, and calls of layers."""

    products: float = 0.0
    numbers: float = 0.0
    calls: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.products + other.products, self.numbers + other.numbers, self.calls + other.calls)


def step_work(recipe: Recipe) -> Work:
    generator, critic, features = generator_size(recipe), critic_size(recipe), features_size(recipe)
    pair = 2 if recipe.game.kind == "unpaired" else 1
    judged = recipe.batch_size // (recipe.game.packing if isinstance(recipe.game, Synthesis) else 1)
    work = _passes(generator, recipe.batch_size, pair * _generator_passes(recipe))
    work += _passes(critic, judged, pair * _critic_passes(recipe))
    work += _passes(features, recipe.batch_size, FORWARD + THROUGH)
    moves = pair * (generator.weights + recipe.turns.critic_steps * critic.weights)
    return work + Work(numbers=MOMENTS * moves + critic.pairs * judged**2)


def _passes(size: Size, batch: int, passes: float) -> Work:
    kept = size.kept * batch + size.anew
    return Work(passes * size.products * batch, passes * kept, passes * size.layers)


def _generator_passes(recipe: Recipe) -> float:
    """Passes' worth of one network in a step."""
    game, kinds = recipe.game, {penalty.kind for penalty in recipe.penalties}
    if game.kind == "unpaired":
        return BOTH * (1 + (game.cycle > 0) + (game.identity > 0))
    alone = FORWARD * (recipe.turns.critic_steps - 1) if recipe.critic is not None else 0
    return alone + BOTH * (1 + 2 * ("jacobian_clamping" in kinds) + ("mode_regulariser" in kinds))


def _critic_passes(recipe: Recipe) -> float:
    """Passes' worth of one network in a step: real and fake of each of its moves, the generator's, and penalties."""
    if recipe.critic is None:
        return 0
    penalised = sum(_penalty(penalty) for penalty in recipe.penalties)
    moves = recipe.turns.critic_steps * (2 * BOTH + penalised)
    ahead = recipe.turns.unrolled * 2 * (2 * BOTH)
    return moves + THROUGH + ahead


def _penalty(penalty: object) -> float:
    """Passes' worth of a penalty: of one that takes a slope two passes there and back."""
    slopes = {"gradient_penalty": 2 * BOTH, "r1": BOTH + THROUGH, "r2": BOTH + THROUGH}
    return slopes.get(getattr(penalty, "kind", ""), 0.0) / getattr(penalty, "every", 1)

