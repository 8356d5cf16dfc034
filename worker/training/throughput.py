"""Measure on a throw-away trainer how many steps fit into a budget in minutes."""

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
from worker.training.cuda_graphs import BY_HAND, graph_on
from worker.training.numerics import Numerics
from worker.training.samples import sample_sheet
from worker.training.trainer import Trainer

WARM_UP = BY_HAND + 1
"""steps that find memory and kernels for the first time; on a GPU of every kind, so that no graph is made later"""
STEPS, SECONDS = 24, 3.0
"""at least so many steps and seconds are measured; 24 holds whole rounds of the lazy penalties"""
PROGRESS = (0.5, 0.9, 0.1, 0.7, 0.3)
"""where in the budget the measured steps pretend to be: what grows with it takes longer later"""
AT_ONCE = {"cpu": 1, "cuda": 8}
"""steps timed together: to wait for a GPU after each would keep it idle meanwhile"""
SHARE = 0.1
"""of the budget that measuring may take, where steps are slow"""


@dataclass(frozen=True)
class Pace:
    """Seconds that a step, a report, a checkpoint and an evaluation take, and what comes before the first step."""

    step: float
    report: float
    save: float
    prepare: float = 0.0
    look: float = 0.0
    """an evaluation"""


def measure(
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
) -> Pace:
    """The pace of this recipe on this machine, with the weights of the checkpoint `start` where there is one.

    `weights` is the folder that holds those of feature networks, `judges` where judges are kept: one may learn here.
    `graphs`: whether a GPU may capture steps.

    `beat` is called all along. A checkpoint is saved in `folder`, which lies where those of the job will and is
    the caller's to remove. Raises NonFinite, NotFinite, DamagedCheckpoint, DatasetMissing.
    """
    assert recipe.budget.minutes is not None
    device = torch.device(numerics.device)
    trainer = Trainer(recipe, Batches(recipe, data, device), device, numerics.precision, graph_on(device, graphs))
    if start is not None:
        trainer.begin_with(checkpoint.load(start))
    inspector = None
    if recipe.watch is not None:
        inspector = Inspector(recipe, trainer.average.network, data, judges, beat)
        inspector.look()  # the first look at the real examples is the long one
    prepared = _prepared(trainer, weights, beat)
    _timed(trainer, WARM_UP * (trainer.round if device.type == "cuda" else 1), beat)
    done, seconds = 0, 0.0
    for trainer.pretended in cycle(PROGRESS):
        seconds += _timed(trainer, AT_ONCE[device.type], beat)
        done += AT_ONCE[device.type]
        if seconds >= SHARE * 60 * recipe.budget.minutes or (done >= STEPS and seconds >= SECONDS):
            break
    began = time.perf_counter()
    sample_sheet(trainer, beat).draw()
    reported = time.perf_counter()
    checkpoint.save(trainer.state_dict(), folder, 0)
    saved = time.perf_counter()
    if inspector is not None:
        inspector.look()
    return Pace(seconds / done, reported - began, saved - reported, prepared, time.perf_counter() - saved)


def steps_within(recipe: Recipe, pace: Pace, most: int = MAX_STEPS) -> int:
    """The most steps whose training, reports and checkpoints fit into the recipe's minutes; at least 1."""
    assert recipe.budget.minutes is not None
    seconds = 60 * recipe.budget.minutes
    most = min(most, int(seconds / pace.step))
    return max(1, bisect_right(range(1, most + 1), seconds, key=lambda steps: _cost(with_steps(recipe, steps), pace)))


def _cost(recipe: Recipe, pace: Pace) -> float:
    steps = recipe.budget.steps
    reports, saves = -(-steps // recipe.report_every), 1 - (-steps // recipe.checkpoint_every)
    looks = -(-steps // recipe.watch.every) if recipe.watch else 0
    return pace.prepare + steps * pace.step + reports * pace.report + saves * pace.save + looks * pace.look


def _prepared(trainer: Trainer, weights: Path | None, beat: Callable[[], None]) -> float:
    """Seconds that preparing took."""
    began = time.perf_counter()
    for _ in trainer.prepare(weights):
        beat()
    return time.perf_counter() - began


def _timed(trainer: Trainer, steps: int, beat: Callable[[], None]) -> float:
    """Seconds of so many steps, the device's part included."""
    began = time.perf_counter()
    for _ in range(steps):
        trainer.advance()
        beat()
    trainer.check()
    return time.perf_counter() - began
