"""Estimate a training's weights, memory and disk from its recipe.

Memory is the peak of a runner on a CPU in fp32. In bf16 maps take half as much. Estimates are upper bounds;
docs/benchmarks.md compares them with measured peaks for every family.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from models.spec.data import Images, Paired, Points, Sequences, Unpaired
from models.spec.datasets import DATASETS
from models.spec.estimates.critic_sizes import critic_size, features_size
from models.spec.estimates.generator_sizes import generator_size
from models.spec.estimates.network_size import Size
from models.spec.games import Synthesis
from models.spec.recipe import Recipe
from models.spec.training import Adam, OptimizerSpec, Sgd

NUMBER_BYTES = 4
"""bytes of one number"""
PROCESS_BYTES = 480 << 20
"""bytes of a runner before it computes: Python, torch and the service's libraries"""
JUDGE_BYTES = 64 << 20
"""bytes of the judge, the network that compares pictures, during its training, without its pictures"""
JUDGE_MAX_PICTURES, JUDGE_MAX_SIDE = 20_000, 32
"""most pictures that the judge learns from, and their largest side"""
MEMORY_MAP_BYTES = 1 << 30
"""bytes of a built-in dataset's pictures above which they are memory-mapped"""
GRADIENT_PENALTY_PASSES = 3
"""number of copies of a pass's maps that a gradient penalty keeps: of the pass, and of its backward pass, which is
differentiated"""
TRANSIENT_MAPS = 4
"""number of largest maps in memory at once in a pass without gradients, or in a backward pass beside saved maps"""
FRAGMENTATION = 1.15
"""factor of a step's memory: allocator losses between tensors of many sizes"""
MAX_CHUNK, COMPARED_PIXELS, GENERATED_PIXELS = 128, 1 << 23, 1 << 19
"""most examples that an evaluation or a sheet processes at once; most pixels compared, and generated, at once"""
CALIBRATION_BATCH_SIZE, MAX_LAYER_NUMBERS = 128, 1 << 27
"""batch size of BatchNorm's recalibration, and the most input numbers of a layer in one run"""
SHEET_PICTURES, SHEET_POINTS = 80, 2000
"""most pictures, and most points or strings, on a sample sheet"""
MAX_SHEETS = 40
"""most sheets that a job keeps"""
CURVE_VALUE_BYTES = 160
"""bytes of one value of a report in the database, with its part of the event"""
VALUES_PER_REPORT = 20
"""most values of a report of any family"""
MIN_DISK_BYTES = 1 << 20
MAX_POINTS_PROBE_BYTES, MIN_PROBE_BYTES, CLASS_SHARE_BYTES = 1 << 18, 1 << 12, 32
"""bytes of a probe at most: of points; of anything else, and more for each class"""


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Number of weights of generator and critic (of both in the unpaired game) and of the content loss's network."""

    generator: int
    critic: int
    features: int

    @property
    def total(self) -> int:
        return self.generator + self.critic + self.features


@dataclass(frozen=True, slots=True)
class Estimate:
    """A training's estimated weights, peak memory and disk."""

    parameters: ParameterCounts
    memory_bytes: int
    """peak over all devices' processes together"""
    disk_bytes: int
    """peak while the job runs"""


@lru_cache(maxsize=1024)
def estimate(recipe: Recipe, *, devices: int = 1, checkpoints: int = 3) -> Estimate:
    """Estimate a training; `checkpoints` is the number that a job keeps beside its best one."""
    footprint = _Footprint(recipe, devices)
    return Estimate(count_parameters(recipe), devices * footprint.memory(), footprint.disk(checkpoints))


@lru_cache(maxsize=1024)
def count_parameters(recipe: Recipe) -> ParameterCounts:
    pair = 2 if recipe.game.kind == "unpaired" else 1
    return ParameterCounts(
        pair * generator_size(recipe).weights, pair * critic_size(recipe).weights, features_size(recipe).weights
    )


class _Footprint:
    """Memory and disk of one process of a training. Methods return numbers of four bytes unless they say bytes."""

    def __init__(self, recipe: Recipe, devices: int) -> None:
        self.recipe = recipe
        self.generator, self.critic = generator_size(recipe), critic_size(recipe)
        self.features = features_size(recipe)
        self.pair = 2 if recipe.game.kind == "unpaired" else 1
        self.batch = -(-recipe.batch_size // devices)
        self.example = math.prod(recipe.shape)
        self.penalties = {penalty.kind for penalty in recipe.penalties}

    def memory(self) -> int:
        """Return the peak in bytes: permanent tensors, a step, and the largest other task.

        Both a step and the other task count, since the memory that a step frees is fragmented: large maps of another
        task do not fit into it.
        """
        others = self._evaluation(), self._sheet(), self._recalibration(), self._saving(), self._feature_training()
        numbers = self._permanent() + self._step() + max(others)
        return PROCESS_BYTES + self._data() + self._judge() + NUMBER_BYTES * int(numbers)

    def disk(self, checkpoints: int) -> int:
        """Return the bytes of checkpoints (kept, best, one being written), two exports, samples, probes and curves."""
        stored = checkpoints + 1 + (self.recipe.watch is not None)
        export = NUMBER_BYTES * self.pair * _all_numbers(self.generator)
        sheets = MAX_SHEETS * SHEET_PICTURES * 3 * self.example if len(self.recipe.shape) == 3 else MAX_SHEETS << 20
        reports = self.recipe.budget.steps // self.recipe.report_every + 1
        probes = MAX_SHEETS * self._probe() if self.recipe.probe else 0
        curves = 0 if self.recipe.budget.minutes is not None else reports * VALUES_PER_REPORT * CURVE_VALUE_BYTES
        return MIN_DISK_BYTES + stored * NUMBER_BYTES * self._state() + 2 * export + sheets + probes + curves

    def _probe(self) -> int:
        """Return the bytes of a probe: of points it has a landscape, of pictures the shares of their classes."""
        if self.recipe.data.kind == "points":
            return MAX_POINTS_PROBE_BYTES
        classes = self.recipe.data.classes if self.recipe.data.kind == "images" else 0
        return MIN_PROBE_BYTES + CLASS_SHARE_BYTES * classes

    def _state(self) -> int:
        """Return the numbers of a checkpoint."""
        game = 2 * self.recipe.game.pool * self.example if self.recipe.game.kind == "unpaired" else 0
        past = self._weights() if "historical_averaging" in self.penalties else 0
        return self._players() + self._optimizer_numbers() + _all_numbers(self.features) + game + past

    def _players(self) -> int:
        """Return weights and buffers of both players and of the generator's average."""
        return self.pair * (2 * _all_numbers(self.generator) + _all_numbers(self.critic))

    def _weights(self) -> int:
        return self.pair * (self.generator.weights + self.critic.weights)

    def _optimizer_numbers(self) -> int:
        recipe = self.recipe
        moments = _optimizer_numbers(recipe.generator_optimizer) * self.generator.weights
        if recipe.critic_optimizer is not None:
            moments += _optimizer_numbers(recipe.critic_optimizer) * self.critic.weights
        return self.pair * moments

    def _permanent(self) -> int:
        """Return the numbers of the state and the gradients."""
        return self._state() + self._weights()

    def _step(self) -> float:
        """Return the further numbers of a step: maps of one turn's passes, recomputed weights, and the batch."""
        generator, critic = self._generator_passes(), self._critic_passes()
        largest = max(self.generator.largest_map, self.critic.largest_map, self.features.largest_map)
        maps = self.batch * (generator * self.generator.saved + self._features() + TRANSIENT_MAPS * largest)
        recomputed = self.pair * generator * self.generator.recomputed + critic * self.critic.recomputed
        judged = self._judged
        maps += critic * (judged * self.critic.saved + judged * self.recipe.batch_size * self.critic.saved_per_pair)
        return FRAGMENTATION * (maps + recomputed + self._pictures() + self._lookahead() + self._copies())

    @property
    def _judged(self) -> int:
        """Number of examples or packs in the critic's batch."""
        return self.batch // self.recipe.game.packing if isinstance(self.recipe.game, Synthesis) else self.batch

    def _generator_passes(self) -> int:
        """Return the number of passes of one generator whose maps are saved at once."""
        game = self.recipe.game
        if game.kind == "unpaired":
            return 2 + 2 * (game.cycle > 0) + 2 * (game.identity > 0)
        return 1 + 2 * ("jacobian_clamping" in self.penalties) + ("mode_regulariser" in self.penalties)

    def _critic_passes(self) -> int:
        """Return the number of passes of one critic whose maps are saved at once: real, fake, and penalties'."""
        passes = 2 + GRADIENT_PENALTY_PASSES * ("gradient_penalty" in self.penalties)
        passes += (GRADIENT_PENALTY_PASSES - 1) * len(self.penalties & {"r1", "r2"}) + (
            "mode_regulariser" in self.penalties
        )
        return self.pair * passes

    def _features(self) -> int:
        """Return the saved maps of the content loss's network: one pass has gradients."""
        return self.features.saved

    def _pictures(self) -> int:
        """Return the numbers of real and generated batches; with a critic also of its inputs and augmentations."""
        game = self.recipe.game
        if self.recipe.critic is None:
            return 2 * self.batch * self.example
        augmented = 0
        if isinstance(game, Synthesis):
            augmented = 4 * len(game.augment.transforms) if game.augment else 0
            augmented += 2 if game.instance_noise else 0
        judged = math.prod(self.recipe.critic_input_shape)
        return self.batch * (self.pair * 6 * self.example + 2 * augmented * self.example) + 2 * self._judged * judged

    def _lookahead(self) -> int:
        """Return the numbers of the critic's unrolled updates."""
        updates = self.recipe.turns.unrolled
        return updates * (
            2 * GRADIENT_PENALTY_PASSES * self._judged * self.critic.saved
            + GRADIENT_PENALTY_PASSES * self.critic.weights
        )

    def _copies(self) -> int:
        """Return the numbers of copied weights."""
        prediction = 3 * self.critic.weights if self.recipe.turns.prediction else 0
        return prediction + (2 * self._weights() if "historical_averaging" in self.penalties else 0)

    def _chunk(self, pixels: int) -> int:
        """Return how many examples are processed at once, at most `pixels` together."""
        shape = self.recipe.shape
        return MAX_CHUNK if len(shape) < 3 else max(1, min(MAX_CHUNK, pixels // shape[-1] ** 2))

    def _evaluation(self) -> int:
        """Return the numbers of an evaluation: generated and compared chunks, and all generated examples as levels.

        Without a judge the inputs of the generated examples stay in memory too.
        """
        watch = self.recipe.watch
        if watch is None:
            return 0
        examples = (
            3 * self._chunk(COMPARED_PIXELS) + watch.samples * self.recipe.bits / 32
            if self._has_judge
            else 4 * watch.samples
        )
        return int(examples * self.example) + self._generation(self._chunk(GENERATED_PIXELS))

    def _sheet(self) -> int:
        shown = SHEET_PICTURES if len(self.recipe.shape) == 3 else SHEET_POINTS
        return self._generation(self._chunk(GENERATED_PIXELS)) + 3 * shown * self.example

    def _recalibration(self) -> int:
        if not self.recipe.generates:
            return 0
        together = min(
            CALIBRATION_BATCH_SIZE * self.generator.largest_map, MAX_LAYER_NUMBERS + self.generator.largest_map
        )
        return TRANSIENT_MAPS * together + CALIBRATION_BATCH_SIZE * self.example + self.generator.recomputed

    def _generation(self, n: int) -> int:
        """Return the numbers to generate `n` examples at once, without gradients."""
        return n * (TRANSIENT_MAPS * self.generator.largest_map + self.example) + self.generator.recomputed

    def _saving(self) -> int:
        """Return the numbers of a checkpoint's bytes and their buffer; or, when it is read, bytes and tensors."""
        return 2 * self._state()

    def _feature_training(self) -> int:
        """Return the numbers to train the game's own feature network on a batch in four rotations."""
        trained = self.recipe.game.kind == "paired" and self.recipe.game.features == "own"
        return 4 * self.batch * (self.features.saved + 2 * self.example) if trained else 0

    @property
    def _has_judge(self) -> bool:
        """Whether a judge compares pictures during the training."""
        kinds = self.recipe.game.kind, self.recipe.data.kind
        return self.recipe.watch is not None and (kinds[0] == "unpaired" or kinds == ("synthesis", "images"))

    def _judge(self) -> int:
        """Return the bytes of the judge and of two copies of the pictures that it learns from."""
        if not self._has_judge:
            return 0
        count = sum(min(size, JUDGE_MAX_PICTURES) for size in self._domain_sizes())
        channels, side, _ = self.recipe.shape
        return JUDGE_BYTES + 2 * count * channels * min(side, JUDGE_MAX_SIDE) ** 2

    def _domain_sizes(self) -> Iterator[int]:
        """Yield the number of examples of each domain; an unknown dataset counts as large."""
        info, data = DATASETS.get(self.recipe.data.dataset), self.recipe.data
        domains = 2 if isinstance(data, Unpaired | Paired) else 1
        for _ in range(domains):
            yield JUDGE_MAX_PICTURES if info is None else info.size // domains

    def _data(self) -> int:
        """Return the bytes of a built-in dataset in memory. An uploaded one is memory-mapped and counts as 0."""
        info, data = DATASETS.get(self.recipe.data.dataset), self.recipe.data
        match data:
            case _ if info is None:
                return 0
            case Points():
                return NUMBER_BYTES * info.size * self.example
            case Sequences():
                return 2 * NUMBER_BYTES * info.size * data.length
            case Images():
                return min(MEMORY_MAP_BYTES, info.size * self.example) + 2 * NUMBER_BYTES * info.size
            case Unpaired() | Paired():
                return 2 * info.size * data.channels * data.prepared_side**2


def _all_numbers(size: Size) -> int:
    return size.weights + size.buffers


def _optimizer_numbers(optimizer: OptimizerSpec) -> int:
    """Return how many numbers an optimiser keeps per weight."""
    match optimizer:
        case Adam():
            return 2
        case Sgd(momentum=momentum):
            return 1 if momentum else 0
        case _:
            return 1
