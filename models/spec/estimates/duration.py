"""Estimate how long a training takes: its work, counted from the recipe, divided by the machine's speed.

app.services.capacity.durations corrects this by finished trainings, for example for how well a layer suits a processor.
"""

from dataclasses import dataclass

from models.spec.estimates.critic_sizes import critic_size, features_size
from models.spec.estimates.generator_sizes import generator_size
from models.spec.estimates.network_size import Size
from models.spec.games import Synthesis
from models.spec.recipe import Recipe

FORWARD, FORWARD_BACKWARD, INPUT_GRADIENT = 1, 3, 2
"""cost in forward passes: of a forward pass, of one with gradients, of the gradient by the input alone"""
GRADIENT_PENALTY_PASSES = 5
"""cost in forward passes of a gradient penalty: forward and backward pass, both differentiated"""
NUMBERS_PER_UPDATE = 8
"""numbers read and written per weight in an update"""
ROTATIONS = 4
"""rotations of a picture from which the feature network learns"""
WORK_SHARE = {"progressive": 0.6, "stacked": 0.65}
"""mean share of the network's work, by kind of generator that uses only a part of the network in most steps"""
FP32_GENERATORS = ("mlp", "mlp_autoencoder", "sequence")
"""kinds of generators that lose precision in bf16 and gain no speed from it or from a second thread"""


@dataclass(frozen=True, slots=True)
class Speed:
    """One core's speed per second: multiplications, numbers copied in memory, and iterations of a short loop."""

    products: float
    numbers: float
    calls: float
    bf16: bool
    """whether it multiplies in bf16"""


REFERENCE_SPEED = Speed(products=4.35e10, numbers=8e9, calls=1.04e6, bf16=True)
"""speed of the machine on which the seconds below were measured, over all families"""
START_S = 5.0
"""seconds outside the steps: start the process, train the judge, evaluate, publish"""
PRODUCT_S, PRODUCT_BF16_S, NUMBER_S, CALL_S = 4e-12, 0.5e-12, 0.9e-9, 3.2e-5
"""seconds of one multiplication, one number and one call, on two cores"""


@dataclass(frozen=True, slots=True)
class Work:
    """An amount of computation: multiplications, numbers moved through memory, and calls of layers."""

    products: float = 0.0
    numbers: float = 0.0
    calls: float = 0.0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.products + other.products, self.numbers + other.numbers, self.calls + other.calls)

    def __mul__(self, times: float) -> "Work":
        return Work(times * self.products, times * self.numbers, times * self.calls)


def prefers_bf16(recipe: Recipe) -> bool:
    """Return whether a device that has bf16 trains this recipe in it.

    By default pictures of 16 bits are trained in fp32, since bf16 has 8 significant bits.
    """
    suits = recipe.generator.kind not in FP32_GENERATORS and recipe.bits == 8
    return recipe.precision == "bf16" or (recipe.precision == "auto" and suits)


def training_s(recipe: Recipe, speed: Speed) -> float:
    """Estimate the seconds from start to end of a training on a CPU of this speed."""
    amount = work(recipe)
    bf16 = speed.bf16 and prefers_bf16(recipe) and recipe.generator.kind not in FP32_GENERATORS
    product = (PRODUCT_BF16_S if bf16 else PRODUCT_S) * REFERENCE_SPEED.products / speed.products
    number = NUMBER_S * REFERENCE_SPEED.numbers / speed.numbers
    slower = REFERENCE_SPEED.calls / speed.calls
    return slower * (START_S + CALL_S * amount.calls) + product * amount.products + number * amount.numbers


def work(recipe: Recipe) -> Work:
    """Count the work of a whole training, without evaluations, which take a few percent of the time."""
    game = recipe.game
    steps = _step(recipe) * (recipe.budget.steps * WORK_SHARE.get(recipe.generator.kind, 1))
    if game.kind != "paired" or game.features != "own":
        return steps
    feature_step = _passes(features_size(recipe), ROTATIONS * recipe.batch_size, FORWARD_BACKWARD)
    return steps + feature_step * game.features_steps


def _step(recipe: Recipe) -> Work:
    generator, critic, features = generator_size(recipe), critic_size(recipe), features_size(recipe)
    pair = 2 if recipe.game.kind == "unpaired" else 1
    judged = recipe.batch_size // (recipe.game.packing if isinstance(recipe.game, Synthesis) else 1)
    passes = _passes(generator, recipe.batch_size, pair * _generator_passes(recipe))
    passes += _passes(critic, judged, pair * _critic_passes(recipe))
    passes += _passes(features, recipe.batch_size, FORWARD + INPUT_GRADIENT)
    updated = pair * (generator.weights + recipe.turns.critic_steps * critic.weights)
    return passes + Work(numbers=NUMBERS_PER_UPDATE * updated + critic.saved_per_pair * judged**2)


def _passes(size: Size, batch: int, passes: float) -> Work:
    return Work(passes * size.products * batch, passes * (size.saved * batch + size.recomputed), passes * size.layers)


def _generator_passes(recipe: Recipe) -> float:
    """Return the cost of one generator in a step, in forward passes."""
    game, kinds = recipe.game, {penalty.kind for penalty in recipe.penalties}
    if game.kind == "unpaired":
        return FORWARD_BACKWARD * (1 + (game.cycle > 0) + (game.identity > 0))
    without_gradients = 0 if recipe.critic is None else FORWARD * (recipe.turns.critic_steps - 1)
    return without_gradients + FORWARD_BACKWARD * (
        1 + 2 * ("jacobian_clamping" in kinds) + ("mode_regulariser" in kinds)
    )


def _critic_passes(recipe: Recipe) -> float:
    """Return the cost of one critic in a step, in forward passes: its updates, penalties, the generator's update."""
    if recipe.critic is None:
        return 0
    penalties = sum(
        GRADIENT_PENALTY_PASSES / penalty.every
        for penalty in recipe.penalties
        if penalty.kind in ("gradient_penalty", "r1", "r2")
    )
    updates = recipe.turns.critic_steps * (2 * FORWARD_BACKWARD + penalties)
    return updates + INPUT_GRADIENT + recipe.turns.unrolled * 2 * (FORWARD_BACKWARD + GRADIENT_PENALTY_PASSES)
