"""Trainings in this process: trainers, a listener that records, and comparisons of states bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from data.batches import Batches
from data.readers.builtin import load
from models import checkpoint
from models.checkpoint import SavedCheckpoint
from models.spec.recipe import Recipe
from worker.training.health import LiveEvaluation
from worker.training.listener import Finished, Listener, NullListener, StepReport, Stop, Stopped
from worker.training.loop import train
from worker.training.numerics import apply, local_numerics
from worker.training.trainer import Trainer
from worker.training.watch import BestEvaluation


def new_trainer(recipe: Recipe, precision: str | None = None) -> Trainer:
    """Return a trainer on the CPU with one thread, in the precision that a worker would choose or in the given one."""
    numerics = local_numerics("cpu", recipe, 1)
    if precision is not None:
        numerics = replace(numerics, precision=precision)
    apply(numerics)
    device = torch.device("cpu")
    return Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, numerics.precision)


def advance(trainer: Trainer, steps: int) -> list[float]:
    """Take the steps; return the sum of the losses of each."""
    return [sum(loss.item() for loss in trainer.advance().values()) for _ in range(steps)]


def assert_same(left: Any, right: Any, path: str = "") -> None:
    """Compare nested states; tensors must be equal bit for bit."""
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), path
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key in left:
            assert_same(left[key], right[key], f"{path}/{key}")
    elif isinstance(left, list):
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{path}/{i}")
    else:
        assert left == right, path


def assert_half_equals_whole(recipe: Recipe, folder: Path) -> None:
    """Check that half of the steps, a checkpoint, and the other half in a new trainer equal all steps at once."""
    steps = recipe.budget.steps
    whole = new_trainer(recipe)
    losses = advance(whole, steps)
    half = new_trainer(recipe)
    first = advance(half, steps // 2)
    saved = checkpoint.save(half.state_dict(), folder, attempt=1)
    torch.manual_seed(99)  # the state of the global generator must not matter
    resumed = new_trainer(recipe)
    resumed.load_state_dict(checkpoint.load(saved.path, saved.sha256))
    second = advance(resumed, steps // 2)
    assert first + second == losses
    assert_same(resumed.state_dict(), whole.state_dict())


class RecordingListener(NullListener):
    """Record everything that a training reports; request a stop at a step, or after so many heartbeats."""

    def __init__(
        self, stop_at: int | None = None, reason: Stop = Stop.PAUSE, stop_after_beats: int | None = None
    ) -> None:
        self.beats: list[int] = []
        self.reports: list[StepReport] = []
        self.checkpoints: list[SavedCheckpoint] = []
        self.evaluations: list[LiveEvaluation] = []
        self.troubles: list[tuple[int, str]] = []
        self.bests: list[BestEvaluation] = []
        self._stop_at, self._reason, self._stop_after_beats = stop_at, reason, stop_after_beats

    def beat(self, step: int) -> None:
        self.beats.append(step)

    def report(self, report: StepReport) -> None:
        self.reports.append(report)

    def saved(self, saved: SavedCheckpoint) -> None:
        self.checkpoints.append(saved)

    def evaluated(self, evaluation: LiveEvaluation) -> None:
        self.evaluations.append(evaluation)

    def trouble(self, step: int, kind: str, message: str) -> None:
        self.troubles.append((step, kind))

    def best(self, best: BestEvaluation) -> None:
        self.bests.append(best)

    def should_stop(self) -> Stop | None:
        at_step = self._stop_at is not None and self.beats[-1:] == [self._stop_at]
        enough_beats = self._stop_after_beats is not None and len(self.beats) >= self._stop_after_beats
        return self._reason if at_step or enough_beats else None


def run_training(
    recipe: Recipe,
    folder: Path,
    listener: Listener,
    attempt: int = 1,
    resume: Path | None = None,
    **options: Any,
) -> Finished | Stopped:
    """Train on the CPU with one thread. `options`: `start`, `weights`, `judges` and `extended_at` of `train`."""
    numerics = local_numerics("cpu", recipe, 1)
    apply(numerics)
    data = load(recipe.data, None)
    return train(recipe, data, listener, folder=folder, attempt=attempt, resume=resume, numerics=numerics, **options)
