"""The training loop. It knows neither Celery nor a database: it takes a listener."""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import torch

from models import checkpoint
from models.checkpoint import DamagedCheckpoint, Saved
from models.duel import Losses
from models.spec.recipe import Recipe
from worker.training.batches import Batches
from worker.training.data import Data
from worker.training.numerics import Numerics
from worker.training.samples import sample_sheet
from worker.training.trainer import NonFinite, Trainer

__all__ = ["DamagedCheckpoint", "Finished", "Listener", "NonFinite", "Report", "Saved", "Stop", "Stopped", "train"]


class Stop(StrEnum):
    """Why a listener ends an attempt: the job is cancelled, paused, or given back for another worker."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RELEASE = "release"


@dataclass(frozen=True)
class Report:
    """Losses, gauges and the sample's own figures at one step (None where not finite), and the sample as PNG."""

    step: int
    values: dict[str, float | None]
    sample: bytes


@dataclass(frozen=True)
class Finished:
    step: int


@dataclass(frozen=True)
class Stopped:
    """On PAUSE and RELEASE a checkpoint of this step was saved; on CANCEL none, nor before step 0 was ready."""

    why: Stop
    step: int


class Listener(Protocol):
    """Who is told, and who is asked. Nothing a listener does changes the numbers."""

    def beat(self, step: int) -> None: ...
    def report(self, report: Report) -> None: ...
    def saved(self, saved: Saved) -> None: ...
    def should_stop(self) -> Stop | None: ...


def train(
    recipe: Recipe,
    data: Data,
    listener: Listener,
    *,
    folder: Path,
    attempt: int,
    resume: Path | None,
    numerics: Numerics,
    start: Path | None = None,
    weights: Path | None = None,
) -> Finished | Stopped:
    """Train from the checkpoint `resume`, or from step 0, to the end of the budget or until told to stop.

    At step 0 the weights are those that follow from the seed, or those of the checkpoint `start` of another job.
    `weights` is the folder that holds those of feature networks; see Trainer.prepare.

    Checkpoints are saved at step 0, every `checkpoint_every` steps and at the end, after the report of the same step,
    so that what a checkpoint holds was reported. Raises NonFinite, DamagedCheckpoint, DatasetMissing.
    """
    device = torch.device(numerics.device)
    trainer = Trainer(recipe, Batches(recipe, data, device), device, numerics.precision)
    if resume is not None:
        trainer.load_state_dict(checkpoint.load(resume))
    else:
        if start is not None:
            trainer.begin_with(checkpoint.load(start))
        for _ in trainer.prepare(weights):
            listener.beat(0)
            if (why := listener.should_stop()) is not None:
                return Stopped(why, 0)
        listener.saved(checkpoint.save(trainer.state_dict(), folder, attempt))
    while trainer.step < recipe.budget.steps:
        losses = trainer.advance()
        listener.beat(trainer.step)
        if _due(trainer.step, recipe.report_every, recipe):
            listener.report(_report(trainer, losses))
        saved = _due(trainer.step, recipe.checkpoint_every, recipe)
        why = listener.should_stop() if trainer.step < recipe.budget.steps else None
        if saved or why in (Stop.PAUSE, Stop.RELEASE):
            trainer.check()
            listener.saved(checkpoint.save(trainer.state_dict(), folder, attempt))
        if why is not None:
            return Stopped(why, trainer.step)
    return Finished(trainer.step)


def _due(step: int, every: int, recipe: Recipe) -> bool:
    return step % every == 0 or step == recipe.budget.steps


def _report(trainer: Trainer, losses: Losses) -> Report:
    """Synchronises with the device."""
    trainer.check()
    watched = losses | trainer.gauges()
    numbers = torch.stack([value.detach().float() for value in watched.values()]).tolist()
    sheet = sample_sheet(trainer)
    values = dict(zip(watched, numbers, strict=True)) | sheet.values
    finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return Report(trainer.step, finite, sheet.png)
