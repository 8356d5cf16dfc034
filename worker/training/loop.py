"""The training loop. It knows neither Celery nor a database: it takes a listener."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from data.batches import Batches
from data.readers.builtin import Data
from models import checkpoint, distributed
from models.checkpoint import DamagedCheckpoint
from models.duel import Losses
from models.errors import JobFailure
from models.spec.recipe import Recipe
from worker.evaluation.generator_under_test import NotFinite
from worker.evaluation.live import Inspector
from worker.training.cuda_graphs import graph_on
from worker.training.health import Evaluation, Health
from worker.training.listener import Finished, Listener, Report, Stop, Stopped
from worker.training.numerics import Numerics
from worker.training.samples import sample_sheet
from worker.training.trainer import NonFinite, Trainer
from worker.training.watch import Watch

SAMPLES = 40
"""of one job, at most: as many as it has reports, unless its recipe asks for more of those. To draw one takes as long
as several quick steps"""


class RanksDiffer(JobFailure):
    """Devices do not compute alike: what each holds of the weights is no longer the same."""

    code = "devices_differ"

    def __init__(self, step: int) -> None:
        super().__init__(
            f"At step {step} the job's devices no longer hold the same weights: they do not compute alike. "
            "Train on devices of one kind, or on a single one; the last checkpoint is kept."
        )


class _CalledOff(Exception):
    """The attempt is to end, amidst something longer than a step."""

    def __init__(self, why: Stop) -> None:
        self.why = why


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
    judges: Path | None = None,
    extended_at: int | None = None,
    graphs: bool = True,
) -> Finished | Stopped:
    """Train from the checkpoint `resume`, or from step 0, to the end of the budget or until told to stop.

    At step 0 the weights are those that follow from the seed, or those of the checkpoint `start` of another job.
    `weights` is the folder that holds those of feature networks; see Trainer.prepare. `judges` is where judges are
    kept. `extended_at` is the step at which the job was last extended. `graphs`: whether a GPU may capture steps.

    Checkpoints are saved at step 0, every `checkpoint_every` steps and at the end, after the report and the evaluation
    of the same step, so that what a checkpoint holds was reported. Raises NonFinite, DamagedCheckpoint, DatasetMissing.

    On several ranks this is what rank 0 does, and `follow` what the others do. Raises RanksDiffer.
    """
    trainer = _trainer(recipe, data, numerics, graphs)
    run = _Run(trainer, listener, folder, attempt, data, judges)
    try:
        run.begin(resume, start, weights, extended_at)
        while trainer.step < recipe.budget.steps and not run.over:
            losses = trainer.advance()
            listener.beat(trainer.step)
            run.report_and_evaluate(losses)
            run.keep_together()
            why = listener.should_stop() if trainer.step < recipe.budget.steps and not run.over else None
            if run.due(recipe.checkpoint_every) or why in (Stop.PAUSE, Stop.RELEASE):
                run.save()
            if why is not None:
                return Stopped(why, trainer.step)
        return run.finished()
    except _CalledOff as called_off:
        return run.called_off(called_off.why)


def follow(recipe: Recipe, data: Data, numerics: Numerics) -> None:
    """Every rank but the first: takes part in each step, and takes over the state that rank 0 tells.

    It reads no checkpoint and decides nothing. Where rank 0 ends before the budget does, this never returns.
    """
    trainer = _trainer(recipe, data, numerics, graphs=False)
    _take_over(trainer, distributed.receive())
    while trainer.step < recipe.budget.steps:
        trainer.advance()
        if _may_have_gone_back(recipe, trainer.step) and (told := distributed.receive()) is not None:
            _take_over(trainer, told)
        if _is_compared(recipe, trainer.step):
            _alike(trainer)  # rank 0 draws the conclusion


def _trainer(recipe: Recipe, data: Data, numerics: Numerics, graphs: bool) -> Trainer:
    device = torch.device(numerics.device)
    return Trainer(recipe, Batches(recipe, data, device), device, numerics.precision, graph_on(device, graphs))


def _take_over(trainer: Trainer, told: dict[str, Any]) -> None:
    trainer.load_state_dict(told["state"])
    trainer.slowed = told["slowed"]


def _alike(trainer: Trainer) -> bool:
    networks = trainer.average.network, *trainer.game.players.values()
    return distributed.equal_on_all_ranks(tensor for network in networks for tensor in network.state_dict().values())


def _is_compared(recipe: Recipe, step: int) -> bool:
    """Whether the ranks look at their weights: before each checkpoint but those of a pause."""
    return step % recipe.checkpoint_every == 0 or step == recipe.budget.steps


def _may_have_gone_back(recipe: Recipe, step: int) -> bool:
    """Whether weights may be taken back at this step: every rank knows it without being told."""
    if recipe.watch is None or recipe.watch.policy != "roll_back":
        return False
    cadences = recipe.report_every, recipe.checkpoint_every, recipe.watch.every, recipe.budget.steps
    return any(step % every == 0 for every in cadences)


class _Run:
    """One call of `train`: the trainer, its watch if the recipe has one, and whom to tell."""

    def __init__(
        self, trainer: Trainer, listener: Listener, folder: Path, attempt: int, data: Data, judges: Path | None
    ) -> None:
        self._trainer, self._listener, self._folder, self._attempt = trainer, listener, folder, attempt
        self._recipe = trainer.recipe
        self._watch = Watch(trainer.recipe) if trainer.recipe.watch else None
        self._data, self._judges = data, judges
        self._went_back = False
        self._owes = False
        """whether the step it is at is still to be evaluated"""

    @cached_property
    def _inspector(self) -> Inspector:
        """Of a watched training."""
        return Inspector(self._recipe, self._trainer.average.network, self._data, self._judges, self._wait)

    def begin(self, resume: Path | None, start: Path | None, weights: Path | None, extended_at: int | None) -> None:
        """Everything before the first step. Raises _CalledOff."""
        if resume is not None:
            self._load(checkpoint.load(resume), extended_at)
        if resume is None:
            if start is not None:
                self._trainer.begin_with(checkpoint.load(start))
            for _ in self._trainer.prepare(weights):
                self._wait()
            self.save()
        elif self._owes:
            self._wait()
            with self._going_back():
                self._evaluate()
            self.save()
        distributed.broadcast(self._everything())
        self._went_back = False

    @property
    def over(self) -> bool:
        return self._watch is not None and self._watch.ending is not None

    def due(self, every: int) -> bool:
        """At its steps, and at the end, early or not."""
        return self._trainer.step % every == 0 or self._trainer.step == self._recipe.budget.steps or self.over

    def report_and_evaluate(self, losses: Losses) -> None:
        """What is due at this step. A step that was not finite is gone back on where the policy says so."""
        with self._going_back():
            if self.due(self._recipe.report_every):
                sampled = self.due(sample_every(self._recipe))
                self._listener.report(_report(self._trainer, losses, sampled, self._beat))
            if self._recipe.watch and self.due(self._recipe.watch.every):
                self._evaluate()
            elif self.due(self._recipe.checkpoint_every):
                self._trainer.check()

    @contextmanager
    def _going_back(self) -> Iterator[None]:
        """A step inside the block that is found not finite is gone back on where the policy says so."""
        try:
            yield
        except NonFinite as error:
            self._listener.trouble(self._trainer.step, "non_finite", str(error))
            self._listener.health(Health.troubled("non_finite", self._trainer.step, str(error)))
            if self._watch is None or not self._watch.may_roll_back or not self._roll_back():
                raise

    def keep_together(self) -> None:
        """Once a step: where weights may have been taken back, the other ranks are told whether they were.

        Before a checkpoint they are looked at. Raises RanksDiffer.
        """
        if distributed.world_size() == 1:
            return
        step = self._trainer.step
        if _may_have_gone_back(self._recipe, step):
            distributed.broadcast(self._everything() if self._went_back else None)
            self._went_back = False
        if _is_compared(self._recipe, step) and not _alike(self._trainer):
            raise RanksDiffer(step)

    def save(self) -> None:
        """What is due was checked before; a pause between keeps what is not finite, to be found when it is due."""
        watched: dict[str, Any] = {} if self._watch is None else {"watch": self._watch.state_dict()}
        if self._owes:
            watched["owes_evaluation"] = True
        state = self._trainer.state_dict() | watched
        self._listener.saved(checkpoint.save(state, self._folder, self._attempt))
        if self._watch is not None and self._watch.best is not None and self._watch.best.step == self._trainer.step:
            self._listener.best(self._watch.best)

    def called_off(self, why: Stop) -> Stopped:
        """Before the first step nothing is kept. An evaluation that was begun is made by the next attempt."""
        if self._owes and why != Stop.CANCEL:
            self.save()
        return Stopped(why, self._trainer.step)

    def finished(self) -> Finished:
        if self._watch is None:
            return Finished(self._trainer.step)
        watch = self._watch
        return Finished(self._trainer.step, watch.served(), self._inspector.provenance, watch.ending, watch.health())

    def _everything(self) -> dict[str, Any]:
        """That another rank takes over."""
        return {"state": self._trainer.state_dict(), "slowed": self._trainer.slowed}

    def _load(self, state: dict[str, Any], extended_at: int | None) -> None:
        self._trainer.load_state_dict(state)
        self._owes = state.get("owes_evaluation", False)
        if self._watch is not None and "watch" in state:
            self._watch.load_state_dict(state["watch"], extended_at)
            self._trainer.slowed = self._watch.rate
            if self._watch.best is not None:  # whoever was told last may have died before noting it
                self._listener.best(self._watch.best)
            self._tell_health()

    def _tell_health(self) -> None:
        assert self._watch is not None
        if (health := self._watch.health()) is not None:
            self._listener.health(health)

    def _evaluate(self) -> None:
        assert self._watch is not None
        trainer = self._trainer
        trainer.check()
        self._owes = False
        try:
            figures = self._inspector.look()
        except _CalledOff:
            self._owes = True
            raise
        except NotFinite as error:
            raise trainer.not_finite(trainer.step) from error
        accuracy = trainer.critic_accuracy()
        evaluation = Evaluation(
            trainer.step, figures, accuracy if math.isfinite(accuracy) else None, untouched=self._inspector.untouched
        )
        found = self._watch.take(evaluation)
        self._listener.evaluated(evaluation)
        for trouble in found:
            self._listener.trouble(trainer.step, trouble.kind, trouble.message)
        self._tell_health()
        if trainer.step < self._recipe.budget.steps and self._watch.follow(found):
            self._roll_back()

    def _roll_back(self) -> bool:
        """The best weights again, but time goes on: what comes is not what came the last time. Whether it could."""
        assert self._watch is not None
        assert self._watch.best is not None
        step = self._watch.best.step
        try:
            if step != self._trainer.step:  # else these are the best, and only slower steps remain to be tried
                self._trainer.roll_back(checkpoint.load(checkpoint.path_of_step(self._folder, step)))
        except DamagedCheckpoint as error:
            self._listener.trouble(self._trainer.step, "checkpoint_damaged", f"{error} Weights stay as they are.")
            return False
        self._listener.trouble(self._trainer.step, "rolled_back", self._watch.rolled_back())
        self._trainer.slowed = self._watch.rate
        self._went_back = True
        return True

    def _beat(self) -> None:
        """A report that was begun is ended: the checkpoint of its step says that it was made."""
        self._listener.beat(self._trainer.step)

    def _wait(self) -> None:
        """Send a heartbeat. Raises _CalledOff where the attempt is to end."""
        self._listener.beat(self._trainer.step)
        if (why := self._listener.should_stop()) is not None:
            raise _CalledOff(why)


def sample_every(recipe: Recipe) -> int:
    """Steps between samples: as many as between reports, or a multiple that leaves SAMPLES and no more."""
    return recipe.report_every * -(-recipe.budget.steps // (SAMPLES * recipe.report_every))


def _report(trainer: Trainer, losses: Losses, sampled: bool, beat: Callable[[], None]) -> Report:
    """Synchronises with the device."""
    trainer.check()
    watched = losses | trainer.gauges()
    numbers = torch.stack([value.detach().float() for value in watched.values()]).tolist()
    sheet = sample_sheet(trainer, beat) if sampled else None
    values = dict(zip(watched, numbers, strict=True)) | (sheet.values if sheet else {})
    finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return Report(trainer.step, finite, sheet.draw if sheet else None)
