"""Turn a budget in minutes into steps: measure the throughput of a trial run."""

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import torch

from data.batches import Batches
from data.readers.builtin import Data
from models import checkpoint
from models.spec.recipe import Recipe
from models.spec.resolve import with_steps
from models.spec.training import MAX_STEPS
from worker.evaluation.live import Inspector
from worker.training.cuda_graphs import EAGER_STEPS, graph_class
from worker.training.numerics import Numerics
from worker.training.probe import Prober
from worker.training.samples import sample_sheet
from worker.training.trainer import Trainer

WARM_UP_STEPS = EAGER_STEPS + 1
"""steps that are not timed, since they allocate memory and choose kernels; on a GPU so many of each kind of step, so
that no graph is captured later"""
MIN_STEPS, MIN_DURATION_S = 24, 3.0
"""at least so many steps and seconds are timed; 24 is a multiple of the periods of lazy penalties"""
PROGRESS_POINTS = (0.5, 0.9, 0.1, 0.7, 0.3)
"""shares of the budget at which the timed steps run: networks that grow take longer later"""
STEPS_PER_TIMING = {"cpu": 1, "cuda": 8}
"""steps timed together: waiting for a GPU after each step would leave it idle"""
MAX_BUDGET_SHARE = 0.1
"""share of the budget that measuring may take where steps are slow"""


@dataclass(frozen=True)
class Throughput:
    """The seconds that each part of a training takes."""

    step: float
    report: float
    checkpoint: float
    preparation: float = 0.0
    """before the first step"""
    evaluation: float = 0.0


def measure_throughput(
    recipe: Recipe,
    data: Data,
    numerics: Numerics,
    beat: Callable[[], None],
    *,
    folder: Path,
    start: Path | None = None,
    weights: Path | None = None,
    judges: Path | None = None,
    graphs: bool = True,
) -> Throughput:
    """Measure this recipe on this machine, starting from the checkpoint `start` if there is one.

    `weights` is the folder that holds the weights of feature networks. `judges` is the folder that keeps judges: one
    may be trained here. `graphs`: whether a GPU may capture steps.

    Call `beat` after each part of the work. Save a checkpoint in `folder`, which must be on the disk of the job's
    checkpoints; the caller removes it. Raises NonFinite, NotFinite, DamagedCheckpoint, DatasetMissing.
    """
    assert recipe.budget.minutes is not None
    device = torch.device(numerics.device)
    trainer = Trainer(recipe, Batches(recipe, data, device), device, numerics.precision, graph_class(device, graphs))
    if start is not None:
        trainer.start_from_weights(checkpoint.load(start))
    inspector = None
    if recipe.watch is not None:
        inspector = Inspector(recipe, trainer.average.network, data, judges, beat)
        inspector.measure()  # not timed: the first evaluation also computes the features of the real examples
    preparation = _time_preparation(trainer, weights, beat)
    _time_steps(trainer, WARM_UP_STEPS * (trainer.penalty_period if device.type == "cuda" else 1), beat)
    done, seconds = 0, 0.0
    for trainer.assumed_progress in cycle(PROGRESS_POINTS):
        seconds += _time_steps(trainer, STEPS_PER_TIMING[device.type], beat)
        done += STEPS_PER_TIMING[device.type]
        if seconds >= MAX_BUDGET_SHARE * 60 * recipe.budget.minutes or (
            done >= MIN_STEPS and seconds >= MIN_DURATION_S
        ):
            break
    began = time.perf_counter()
    sample_sheet(trainer, beat).draw()
    if recipe.probe:
        Prober(trainer).take()()
    reported = time.perf_counter()
    checkpoint.save(trainer.state_dict(), folder, 0)
    saved = time.perf_counter()
    if inspector is not None:
        inspector.measure()
    return Throughput(seconds / done, reported - began, saved - reported, preparation, time.perf_counter() - saved)


def steps_within(recipe: Recipe, throughput: Throughput, limit: int = MAX_STEPS) -> int:
    """Return the largest number of steps whose training fits into the recipe's minutes, from 1 to `limit`."""
    assert recipe.budget.minutes is not None
    budget_s = 60 * recipe.budget.minutes
    limit = min(limit, int(budget_s / throughput.step))
    return max(
        1,
        bisect_right(
            range(1, limit + 1), budget_s, key=lambda steps: _duration_s(with_steps(recipe, steps), throughput)
        ),
    )


def _duration_s(recipe: Recipe, throughput: Throughput) -> float:
    """Return the seconds that a training takes with its preparation, reports, checkpoints and evaluations."""
    steps = recipe.budget.steps
    reports, checkpoints = -(-steps // recipe.report_every), 1 - (-steps // recipe.checkpoint_every)
    evaluations = -(-steps // recipe.watch.every) if recipe.watch else 0
    return (
        throughput.preparation
        + steps * throughput.step
        + reports * throughput.report
        + checkpoints * throughput.checkpoint
        + evaluations * throughput.evaluation
    )


def _time_preparation(trainer: Trainer, weights: Path | None, beat: Callable[[], None]) -> float:
    """Prepare the trainer and return the seconds that took."""
    began = time.perf_counter()
    for _ in trainer.prepare(weights):
        beat()
    return time.perf_counter() - began


def _time_steps(trainer: Trainer, steps: int, beat: Callable[[], None]) -> float:
    """Run so many steps and return their seconds, including the device's work."""
    began = time.perf_counter()
    for _ in range(steps):
        trainer.advance()
        beat()
    trainer.check_finite()
    return time.perf_counter() - began
