"""Estimates how long a training takes: its work, counted from the recipe, divided by the speed of the machine.

Trainings that have ended correct what this misses, such as how well a layer suits a processor:
app.services.capacity.durations.
"""

from dataclasses import dataclass

from models.spec.estimates.critic_sizes import critic_size, features_size
from models.spec.estimates.generator_sizes import generator_size
from models.spec.estimates.network_size import Size
from models.spec.games import Synthesis
from models.spec.recipe import Recipe

FORWARD, FORWARD_BACKWARD, INPUT_GRADIENT = 1, 3, 2
"""passes' worth of a pass alone, of one with its gradients, and of one whose gradients go through to what is before"""
GRADIENT_PENALTY_PASSES = 5
"""of a penalty on the critic's slope: a pass there and back, which is differentiated"""
NUMBERS_PER_UPDATE = 8
"""numbers read and written of each weight when it moves"""
ROTATIONS = 4
"""ways that a picture is turned for the network to learn from that compares contents"""
WORK_SHARE = {"progressive": 0.6, "stacked": 0.65}
"""of the work of the whole network, by kinds of generators of which most steps use a part"""
FP32_GENERATORS = ("mlp", "mlp_autoencoder", "sequence")
"""kinds of generators that lose precision under bf16 and gain no speed, from it or from a second thread"""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one core does in a second: multiplications, numbers copied through memory, and passes of a short loop."""

    products: float
    numbers: float
    calls: float
    bf16: bool
    """whether it multiplies numbers of 16 bits"""


REFERENCE_SPEED = Speed(products=4.35e10, numbers=8e9, calls=1.04e6, bf16=True)
"""the machine on which the seconds below were found, by the steps of all families"""
START_S = 5.0
"""before the first step and after the last one: to start a process and to learn to judge, to measure and to publish"""
PRODUCT_S, PRODUCT_BF16_S, NUMBER_S, CALL_S = 4e-12, 0.5e-12, 0.9e-9, 3.2e-5
"""of one, on two cores"""


@dataclass(frozen=True, slots=True)
class Work:
    """Multiplications, numbers of maps and weights that go through memory, and calls of layers."""

    products: float = 0.0
    numbers: float = 0.0
    calls: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.products + other.products, self.numbers + other.numbers, self.calls + other.calls)

    def __mul__(self, times: float) -> "Work":
        return Work(times * self.products, times * self.numbers, times * self.calls)


def training_s(recipe: Recipe, speed: Speed) -> float:
    """Estimate the seconds from the start to the end of a training on a CPU of this speed."""
    done, bf16 = (
        work(recipe),
        speed.bf16 and recipe.precision != "fp32" and recipe.generator.kind not in FP32_GENERATORS,
    )
    product = (PRODUCT_BF16_S if bf16 else PRODUCT_S) * REFERENCE_SPEED.products / speed.products
    number = NUMBER_S * REFERENCE_SPEED.numbers / speed.numbers
    slower = REFERENCE_SPEED.calls / speed.calls
    return slower * (START_S + CALL_S * done.calls) + product * done.products + number * done.numbers


def work(recipe: Recipe) -> Work:
    """Count the work of a whole training. Evaluations are left out: they take a few hundredths of the time."""
    game = recipe.game
    steps = _step(recipe) * (recipe.budget.steps * WORK_SHARE.get(recipe.generator.kind, 1))
    if game.kind != "paired" or game.features != "own":
        return steps
    learned = _passes(features_size(recipe), ROTATIONS * recipe.batch_size, FORWARD_BACKWARD)
    return steps + learned * game.features_steps


def _step(recipe: Recipe) -> Work:
    generator, critic, features = generator_size(recipe), critic_size(recipe), features_size(recipe)
    pair = 2 if recipe.game.kind == "unpaired" else 1
    judged = recipe.batch_size // (recipe.game.packing if isinstance(recipe.game, Synthesis) else 1)
    passes = _passes(generator, recipe.batch_size, pair * _generator_passes(recipe))
    passes += _passes(critic, judged, pair * _critic_passes(recipe))
    passes += _passes(features, recipe.batch_size, FORWARD + INPUT_GRADIENT)
    moves = pair * (generator.weights + recipe.turns.critic_steps * critic.weights)
    return passes + Work(numbers=NUMBERS_PER_UPDATE * moves + critic.saved_per_pair * judged**2)


def _passes(size: Size, batch: int, passes: float) -> Work:
    return Work(passes * size.products * batch, passes * (size.saved * batch + size.recomputed), passes * size.layers)


def _generator_passes(recipe: Recipe) -> float:
    """Passes' worth of one network in a step."""
    game, kinds = recipe.game, {penalty.kind for penalty in recipe.penalties}
    if game.kind == "unpaired":
        return FORWARD_BACKWARD * (1 + (game.cycle > 0) + (game.identity > 0))
    alone = 0 if recipe.critic is None else FORWARD * (recipe.turns.critic_steps - 1)
    return alone + FORWARD_BACKWARD * (1 + 2 * ("jacobian_clamping" in kinds) + ("mode_regulariser" in kinds))


def _critic_passes(recipe: Recipe) -> float:
    """Passes' worth of one network in a step: real and fake of each of its moves, penalties, the generator's move."""
    if recipe.critic is None:
        return 0
    slopes = sum(
        GRADIENT_PENALTY_PASSES / penalty.every
        for penalty in recipe.penalties
        if penalty.kind in ("gradient_penalty", "r1", "r2")
    )
    moves = recipe.turns.critic_steps * (2 * FORWARD_BACKWARD + slopes)
    return moves + INPUT_GRADIENT + recipe.turns.unrolled * 2 * (FORWARD_BACKWARD + GRADIENT_PENALTY_PASSES)
