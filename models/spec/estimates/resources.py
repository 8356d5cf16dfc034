"""Estimate a training's weights, memory and disk from its recipe.

Memory is that of a runner on a CPU in fp32, at its peak. Where a device computes in bf16 maps take half of theirs.
Estimates are upper bounds. docs/benchmarks.md holds them against measured peaks for every family.
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
"""bytes of one"""
PROCESS_BYTES = 480 << 20
"""bytes of a runner before it computes: Python, torch, and the libraries of the service"""
JUDGE_BYTES = 64 << 20
"""bytes that the network takes by which pictures are compared while it learns them, apart from these"""
JUDGE_MAX_PICTURES, JUDGE_MAX_SIDE = 20_000, 32
"""pictures that it learns, at most, and their side, at most"""
MEMORY_MAP_BYTES = 1 << 30
"""bytes of a built-in dataset's pictures above which they lie in a mapped file"""
GRADIENT_PENALTY_PASSES = 3
"""times that a pass is kept of which a penalty takes the slope: the pass, and its way back, which is differentiated"""
TRANSIENT_MAPS = 4
"""largest maps that a pass without gradients holds at once, and a backward pass beside what is kept"""
FRAGMENTATION = 1.15
"""of a step's memory: what the allocator loses between tensors of many sizes"""
MAX_CHUNK, COMPARED_PIXELS, GENERATED_PIXELS = 128, 1 << 23, 1 << 19
"""examples that an evaluation or a sheet makes or looks at together, at most, and the pixels of each kind"""
CALIBRATION_BATCH_SIZE, MAX_LAYER_NUMBERS = 128, 1 << 27
"""examples of a batch that BatchNorm's statistics are taken of, and the numbers that a layer is given at once"""
SHEET_PICTURES, SHEET_POINTS = 80, 2000
"""pictures that a sample sheet shows, at most, and points or strings"""
MAX_SHEETS = 40
"""sheets that a job keeps, at most"""
CURVE_VALUE_BYTES = 160
"""bytes of one value of one report in the database, with its share of the event"""
VALUES_PER_REPORT = 20
"""values of a report, at most as many as any family has"""
MIN_DISK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Number of weights of each player, of both where the game has two; and of the network that compares contents."""

    generator: int
    critic: int
    features: int

    @property
    def total(self) -> int:
        return self.generator + self.critic + self.features


@dataclass(frozen=True, slots=True)
class Estimate:
    parameters: ParameterCounts
    memory_bytes: int
    """at the peak, of all devices' processes together"""
    disk_bytes: int
    """at most, while the job runs"""


@lru_cache(maxsize=1024)
def estimate(recipe: Recipe, *, devices: int = 1, checkpoints: int = 3) -> Estimate:
    """`checkpoints`: how many a job keeps, beside its best one."""
    take = _Footprint(recipe, devices)
    return Estimate(count_parameters(recipe), devices * take.memory(), take.disk(checkpoints))


@lru_cache(maxsize=1024)
def count_parameters(recipe: Recipe) -> ParameterCounts:
    pair = 2 if recipe.game.kind == "unpaired" else 1
    return ParameterCounts(
        pair * generator_size(recipe).weights, pair * critic_size(recipe).weights, features_size(recipe).weights
    )


class _Footprint:
    """What one process of a training takes, in numbers of four bytes where nothing else is said."""

    def __init__(self, recipe: Recipe, devices: int) -> None:
        self.recipe = recipe
        self.generator, self.critic = generator_size(recipe), critic_size(recipe)
        self.features = features_size(recipe)
        self.pair = 2 if recipe.game.kind == "unpaired" else 1
        self.batch = -(-recipe.batch_size // devices)
        self.example = math.prod(recipe.shape)
        self.penalties = {penalty.kind for penalty in recipe.penalties}

    def memory(self) -> int:
        """Bytes at the peak: what stays, a step, and what takes most of the rest.

        What a step gives back lies in pieces, of which large maps of another kind of work find none that is large
        enough: so both count.
        """
        others = self._evaluation(), self._sheet(), self._recalibration(), self._saving(), self._turns()
        numbers = self._staying() + self._step() + max(others)
        return PROCESS_BYTES + self._data() + self._judge() + NUMBER_BYTES * int(numbers)

    def disk(self, checkpoints: int) -> int:
        """Bytes: the checkpoints kept, the best one and one under way; the export in two places; samples and curves."""
        kept = checkpoints + 1 + (self.recipe.watch is not None)
        export = NUMBER_BYTES * self.pair * _all_numbers(self.generator)
        sheets = MAX_SHEETS * SHEET_PICTURES * 3 * self.example if len(self.recipe.shape) == 3 else MAX_SHEETS << 20
        reports = self.recipe.budget.steps // self.recipe.report_every + 1
        curves = 0 if self.recipe.budget.minutes is not None else reports * VALUES_PER_REPORT * CURVE_VALUE_BYTES
        return MIN_DISK_BYTES + kept * NUMBER_BYTES * self._state() + 2 * export + sheets + curves

    def _state(self) -> int:
        """Of a checkpoint."""
        game = 2 * self.recipe.game.pool * self.example if self.recipe.game.kind == "unpaired" else 0
        past = self._weights() if "historical_averaging" in self.penalties else 0
        return self._players() + self._optimizer_numbers() + _all_numbers(self.features) + game + past

    def _players(self) -> int:
        """Weights and buffers of both players, and the generator's average."""
        return self.pair * (2 * _all_numbers(self.generator) + _all_numbers(self.critic))

    def _weights(self) -> int:
        return self.pair * (self.generator.weights + self.critic.weights)

    def _optimizer_numbers(self) -> int:
        recipe = self.recipe
        moments = _optimizer_numbers(recipe.generator_optimizer) * self.generator.weights
        if recipe.critic_optimizer is not None:
            moments += _optimizer_numbers(recipe.critic_optimizer) * self.critic.weights
        return self.pair * moments

    def _staying(self) -> int:
        """The state and the gradients."""
        return self._state() + self._weights()

    def _step(self) -> float:
        """Beside what stays: maps of all passes of one turn, the weights that passes compute anew, and the batch."""
        generator, critic = self._generator_passes(), self._critic_passes()
        largest = max(self.generator.largest_map, self.critic.largest_map, self.features.largest_map)
        maps = self.batch * (generator * self.generator.saved + self._features() + TRANSIENT_MAPS * largest)
        anew = self.pair * generator * self.generator.recomputed + critic * self.critic.recomputed
        judged = self._judged
        maps += critic * (judged * self.critic.saved + judged * self.recipe.batch_size * self.critic.saved_per_pair)
        return FRAGMENTATION * (maps + anew + self._pictures() + self._lookahead() + self._copies())

    @property
    def _judged(self) -> int:
        """Examples or packs that the critic sees at once."""
        return self.batch // self.recipe.game.packing if isinstance(self.recipe.game, Synthesis) else self.batch

    def _generator_passes(self) -> int:
        """Of one network, kept at once."""
        game = self.recipe.game
        if game.kind == "unpaired":
            return 2 + 2 * (game.cycle > 0) + 2 * (game.identity > 0)
        return 1 + 2 * ("jacobian_clamping" in self.penalties) + ("mode_regulariser" in self.penalties)

    def _critic_passes(self) -> int:
        """Of one network, kept at once: real and fake of each duel, and those that penalties add."""
        passes = 2 + GRADIENT_PENALTY_PASSES * ("gradient_penalty" in self.penalties)
        passes += (GRADIENT_PENALTY_PASSES - 1) * len(self.penalties & {"r1", "r2"}) + (
            "mode_regulariser" in self.penalties
        )
        return self.pair * passes

    def _features(self) -> int:
        """Of the network that compares contents: once with gradients."""
        return self.features.saved

    def _pictures(self) -> int:
        """The batch and what is made of it; for a critic also real and fake, and their alterations on the way to it."""
        game = self.recipe.game
        if self.recipe.critic is None:
            return 2 * self.batch * self.example
        altered = 0
        if isinstance(game, Synthesis):
            altered = 4 * len(game.augment.transforms) if game.augment else 0
            altered += 2 if game.instance_noise else 0
        judged = math.prod(self.recipe.critic_input_shape)
        return self.batch * (self.pair * 6 * self.example + 2 * altered * self.example) + 2 * self._judged * judged

    def _lookahead(self) -> int:
        """Moves of the critic that the generator learns through."""
        moves = self.recipe.turns.unrolled
        return moves * (
            2 * GRADIENT_PENALTY_PASSES * self._judged * self.critic.saved
            + GRADIENT_PENALTY_PASSES * self.critic.weights
        )

    def _copies(self) -> int:
        """Weights in one row, or set aside."""
        prediction = 3 * self.critic.weights if self.recipe.turns.prediction else 0
        return prediction + (2 * self._weights() if "historical_averaging" in self.penalties else 0)

    def _part(self, pixels: int) -> int:
        """Examples that are made, or looked at, together."""
        shape = self.recipe.shape
        return MAX_CHUNK if len(shape) < 3 else max(1, min(MAX_CHUNK, pixels // shape[-1] ** 2))

    def _evaluation(self) -> int:
        """A part that is made and one that is compared, and all that is made, as uint8; where nothing compares
        them also what it was made of."""
        watch = self.recipe.watch
        if watch is None:
            return 0
        held = 3 * self._part(COMPARED_PIXELS) + watch.samples / 4 if self._compares else 4 * watch.samples
        return int(held * self.example) + self._making(self._part(GENERATED_PIXELS))

    def _sheet(self) -> int:
        shown = SHEET_PICTURES if len(self.recipe.shape) == 3 else SHEET_POINTS
        return self._making(self._part(GENERATED_PIXELS)) + 3 * shown * self.example

    def _recalibration(self) -> int:
        if not self.recipe.generates:
            return 0
        together = min(
            CALIBRATION_BATCH_SIZE * self.generator.largest_map, MAX_LAYER_NUMBERS + self.generator.largest_map
        )
        return TRANSIENT_MAPS * together + CALIBRATION_BATCH_SIZE * self.example + self.generator.recomputed

    def _making(self, n: int) -> int:
        """`n` examples made at once, without gradients."""
        return n * (TRANSIENT_MAPS * self.generator.largest_map + self.example) + self.generator.recomputed

    def _saving(self) -> int:
        """A checkpoint as bytes, and the buffer that grew to hold it; or, when it is read, its tensors beside it."""
        return 2 * self._state()

    def _turns(self) -> int:
        """The game's own feature network learns from a batch turned four ways."""
        learns = self.recipe.game.kind == "paired" and self.recipe.game.features == "own"
        return 4 * self.batch * (self.features.saved + 2 * self.example) if learns else 0

    @property
    def _compares(self) -> bool:
        """Whether a judge compares pictures while the job trains."""
        kinds = self.recipe.game.kind, self.recipe.data.kind
        return self.recipe.watch is not None and (kinds[0] == "unpaired" or kinds == ("synthesis", "images"))

    def _judge(self) -> int:
        """Bytes: of the network that compares pictures, and of those that it learns, twice."""
        if not self._compares:
            return 0
        count = sum(min(size, JUDGE_MAX_PICTURES) for size in self._piles())
        channels, side, _ = self.recipe.shape
        return JUDGE_BYTES + 2 * count * channels * min(side, JUDGE_MAX_SIDE) ** 2

    def _piles(self) -> Iterator[int]:
        """Examples of each pile of the dataset; an unknown one may be large."""
        info, data = DATASETS.get(self.recipe.data.dataset), self.recipe.data
        piles = 2 if isinstance(data, Unpaired | Paired) else 1
        for _ in range(piles):
            yield JUDGE_MAX_PICTURES if info is None else info.size // piles

    def _data(self) -> int:
        """Bytes of a built-in dataset that stay in memory. An uploaded one is mapped: its pages can be given back."""
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
    """Numbers that an optimiser keeps for each weight."""
    match optimizer:
        case Adam():
            return 2
        case Sgd(momentum=momentum):
            return 1 if momentum else 0
        case _:
            return 1
