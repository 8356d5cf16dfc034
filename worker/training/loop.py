"""The training loop: run steps, report, evaluate and save. It reports to a listener, not to Celery or a database."""

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
from worker.evaluation.generator_under_test import FeatureNetwork, NotFinite
from worker.evaluation.live import Inspector
from worker.training.cuda_graphs import graph_class
from worker.training.health import Health, LiveEvaluation
from worker.training.listener import Finished, Listener, StepReport, Stop, Stopped
from worker.training.numerics import Numerics
from worker.training.probe import DrawJson, Prober
from worker.training.samples import sample_sheet
from worker.training.trainer import NonFinite, Trainer
from worker.training.watch import Watch

MAX_SAMPLE_SHEETS = 40
"""sample sheets, and probes, of a job at most: a job with more reports draws them at some, since one takes as long as
several fast steps"""


class RanksDiffer(JobFailure):
    """The ranks hold different weights: their devices do not compute alike."""

    code = "devices_differ"

    def __init__(self, step: int) -> None:
        super().__init__(
            f"At step {step} the job's devices no longer hold the same weights: they do not compute alike. "
            "Train on devices of one kind, or on a single one; the last checkpoint is kept."
        )


class _Interrupted(Exception):
    """A stop was requested during something longer than a step."""

    def __init__(self, reason: Stop) -> None:
        self.reason = reason


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
    """Train from the checkpoint `resume`, or from step 0, to the end of the budget or until the listener stops it.

    At step 0 the weights are drawn from the seed, or loaded from the checkpoint `start` of another job. `weights` is
    the folder that holds the weights of feature networks; see Trainer.prepare. `judges` is the folder that keeps
    judges. `extended_at` is the step at which the job was last extended. `graphs`: whether a GPU may capture steps.

    Save a checkpoint at step 0, every `checkpoint_every` steps and at the end, after the report and the evaluation of
    the same step, so that every step of a checkpoint has been reported. Raises NonFinite, DamagedCheckpoint,
    DatasetMissing.

    On several ranks, rank 0 runs this and the others run `follow_rank_0`. Raises RanksDiffer.
    """
    trainer = _build_trainer(recipe, data, numerics, graphs)
    run = _TrainingRun(trainer, listener, folder, attempt, data, judges)
    try:
        run.start(resume, start, weights, extended_at)
        while trainer.step < recipe.budget.steps and not run.ended_early:
            losses = trainer.advance()
            listener.beat(trainer.step)
            run.report_and_evaluate(losses)
            run.sync_ranks()
            stop = listener.should_stop() if trainer.step < recipe.budget.steps and not run.ended_early else None
            if run.due(recipe.checkpoint_every) or stop in (Stop.PAUSE, Stop.RELEASE):
                run.save()
            if stop is not None:
                return Stopped(stop, trainer.step)
        return run.finished()
    except _Interrupted as interrupted:
        return run.stopped(interrupted.reason)


def follow_rank_0(recipe: Recipe, data: Data, numerics: Numerics) -> None:
    """Train as a rank other than 0: take part in each step, and load the state that rank 0 broadcasts.

    Read no checkpoint and decide nothing. Never return if rank 0 ends before the budget does.
    """
    trainer = _build_trainer(recipe, data, numerics, graphs=False)
    _load_rank_state(trainer, distributed.receive())
    while trainer.step < recipe.budget.steps:
        trainer.advance()
        if _may_roll_back_at(recipe, trainer.step) and (state := distributed.receive()) is not None:
            _load_rank_state(trainer, state)
        if _compares_ranks_at(recipe, trainer.step):
            _ranks_agree(trainer)  # a collective call; rank 0 acts on the result


def _build_trainer(recipe: Recipe, data: Data, numerics: Numerics, graphs: bool) -> Trainer:
    device = torch.device(numerics.device)
    return Trainer(recipe, Batches(recipe, data, device), device, numerics.precision, graph_class(device, graphs))


def _load_rank_state(trainer: Trainer, state: dict[str, Any]) -> None:
    """Load what `_TrainingRun._rank_state` returned on rank 0."""
    trainer.load_state_dict(state["trainer"])
    trainer.rate_multiplier = state["rate_multiplier"]


def _ranks_agree(trainer: Trainer) -> bool:
    """Return whether all ranks hold the same weights. Every rank must call it at the same steps."""
    networks = trainer.average.network, *trainer.game.players.values()
    return distributed.equal_on_all_ranks(tensor for network in networks for tensor in network.state_dict().values())


def _compares_ranks_at(recipe: Recipe, step: int) -> bool:
    """Return whether the ranks compare their weights at this step: before each checkpoint but those of a pause."""
    return step % recipe.checkpoint_every == 0 or step == recipe.budget.steps


def _may_roll_back_at(recipe: Recipe, step: int) -> bool:
    """Return whether a roll back may happen at this step. It depends on the recipe alone, so every rank knows it."""
    if recipe.watch is None or recipe.watch.policy != "roll_back":
        return False
    cadences = recipe.report_every, recipe.checkpoint_every, recipe.watch.every, recipe.budget.steps
    return any(step % every == 0 for every in cadences)


class _TrainingRun:
    """One call of `train`: the trainer, its watch if the recipe has one, and the listener."""

    def __init__(
        self, trainer: Trainer, listener: Listener, folder: Path, attempt: int, data: Data, judges: Path | None
    ) -> None:
        self._trainer, self._listener, self._folder, self._attempt = trainer, listener, folder, attempt
        self._recipe = trainer.recipe
        self._watch = Watch(trainer.recipe) if trainer.recipe.watch else None
        self._data, self._judges = data, judges
        self._rolled_back = False
        """whether weights were rolled back and the other ranks do not have them yet"""
        self._evaluation_pending = False
        """whether the evaluation of the current step was interrupted"""

    @cached_property
    def _inspector(self) -> Inspector:
        """The inspector of a training with a watch."""
        return Inspector(self._recipe, self._trainer.average.network, self._data, self._judges, self._beat_or_stop)

    @cached_property
    def _prober(self) -> Prober:
        return Prober(self._trainer)

    @property
    def _judge(self) -> FeatureNetwork | None:
        """The judge of the pictures, once an evaluation has loaded it. A probe never trains one."""
        return None if self._watch is None else self._inspector.loaded_judge

    def start(self, resume: Path | None, start: Path | None, weights: Path | None, extended_at: int | None) -> None:
        """Load or prepare the state before the first step, and share it with the other ranks. Raises _Interrupted."""
        if resume is not None:
            state = checkpoint.load(resume)
            self._load(state, extended_at)
            if state.get("judge_loaded"):  # probes need it too
                self._inspector.load_judge()
        if resume is None:
            if start is not None:
                self._trainer.start_from_weights(checkpoint.load(start))
            for _ in self._trainer.prepare(weights):
                self._beat_or_stop()
            self.save()
        elif self._evaluation_pending:
            self._beat_or_stop()
            with self._recovering():
                self._evaluate()
            self.save()
        distributed.broadcast(self._rank_state())
        self._rolled_back = False

    @property
    def ended_early(self) -> bool:
        """Whether the watch has ended the training before its budget."""
        return self._watch is not None and self._watch.ending is not None

    def due(self, every: int) -> bool:
        """Return whether something that happens every so many steps is due now; at the end it always is."""
        return self._trainer.step % every == 0 or self._trainer.step == self._recipe.budget.steps or self.ended_early

    def report_and_evaluate(self, losses: Losses) -> None:
        """Report and evaluate where due; roll back a step that was not finite if the policy says so."""
        with self._recovering():
            if self.due(self._recipe.report_every):
                sampled = self.due(sample_every(self._recipe))
                take_probe = self._take_probe if sampled and self._recipe.probe else None
                self._listener.report(_step_report(self._trainer, losses, sampled, take_probe, self._beat))
            if self._recipe.watch and self.due(self._recipe.watch.every):
                self._evaluate()
            elif self.due(self._recipe.checkpoint_every):
                self._trainer.check_finite()

    @contextmanager
    def _recovering(self) -> Iterator[None]:
        """Roll back where the block raises NonFinite and the policy allows it. Raises NonFinite otherwise."""
        try:
            yield
        except NonFinite as error:
            self._listener.trouble(self._trainer.step, "non_finite", str(error))
            self._listener.health(Health.troubled("non_finite", self._trainer.step, str(error)))
            if self._watch is None or not self._watch.may_roll_back or not self._roll_back():
                raise

    def sync_ranks(self) -> None:
        """Send rolled back weights to the other ranks, and compare all ranks' weights before a checkpoint.

        Call it once at every step, as the other ranks do. Raises RanksDiffer.
        """
        if distributed.world_size() == 1:
            return
        step = self._trainer.step
        if _may_roll_back_at(self._recipe, step):
            distributed.broadcast(self._rank_state() if self._rolled_back else None)
            self._rolled_back = False
        if _compares_ranks_at(self._recipe, step) and not _ranks_agree(self._trainer):
            raise RanksDiffer(step)

    def save(self) -> None:
        """Save a checkpoint and report it.

        Losses were checked before a checkpoint that is due. One of a pause may hold weights that are not finite: the
        next attempt finds them at its next check.
        """
        extra: dict[str, Any] = {} if self._watch is None else {"watch": self._watch.state_dict()}
        if self._evaluation_pending:
            extra["owes_evaluation"] = True
        if self._judge is not None:
            extra["judge_loaded"] = True
        state = self._trainer.state_dict() | extra
        self._listener.saved(checkpoint.save(state, self._folder, self._attempt))
        if self._watch is not None and self._watch.best is not None and self._watch.best.step == self._trainer.step:
            self._listener.best(self._watch.best)

    def stopped(self, reason: Stop) -> Stopped:
        """Return the result of an interrupted training.

        Save nothing before the first step. Save an interrupted evaluation as pending: the next attempt runs it.
        """
        if self._evaluation_pending and reason != Stop.CANCEL:
            self.save()
        return Stopped(reason, self._trainer.step)

    def finished(self) -> Finished:
        """Return the result of a training that reached its end."""
        if self._watch is None:
            return Finished(self._trainer.step)
        watch = self._watch
        return Finished(self._trainer.step, watch.served(), self._inspector.provenance, watch.ending, watch.health())

    def _rank_state(self) -> dict[str, Any]:
        """Return the state that other ranks load; see `_load_rank_state`."""
        return {"trainer": self._trainer.state_dict(), "rate_multiplier": self._trainer.rate_multiplier}

    def _load(self, state: dict[str, Any], extended_at: int | None) -> None:
        self._trainer.load_state_dict(state)
        self._evaluation_pending = state.get("owes_evaluation", False)
        if self._watch is not None and "watch" in state:
            self._watch.load_state_dict(state["watch"], extended_at)
            self._trainer.rate_multiplier = self._watch.rate_multiplier
            if self._watch.best is not None:  # the attempt before may have died before it was recorded
                self._listener.best(self._watch.best)
            self._report_health()

    def _report_health(self) -> None:
        assert self._watch is not None
        if (health := self._watch.health()) is not None:
            self._listener.health(health)

    def _evaluate(self) -> None:
        assert self._watch is not None
        trainer = self._trainer
        trainer.check_finite()
        self._evaluation_pending = False
        try:
            figures = self._inspector.measure()
        except _Interrupted:
            self._evaluation_pending = True
            raise
        except NotFinite as error:
            raise trainer.non_finite_error(trainer.step) from error
        accuracy = trainer.critic_accuracy()
        evaluation = LiveEvaluation(
            trainer.step, figures, accuracy if math.isfinite(accuracy) else None, untouched=self._inspector.untouched
        )
        new_troubles = self._watch.add(evaluation)
        self._listener.evaluated(evaluation)
        for trouble in new_troubles:
            self._listener.trouble(trainer.step, trouble.kind, trouble.message)
        self._report_health()
        if trainer.step < self._recipe.budget.steps and self._watch.decide(new_troubles):
            self._roll_back()

    def _take_probe(self) -> DrawJson:
        return self._prober.take(self._judge)

    def _roll_back(self) -> bool:
        """Load the best checkpoint but keep the current step; return whether that was possible.

        Batches and noise to come are new ones, so the training does not repeat itself.
        """
        assert self._watch is not None
        assert self._watch.best is not None
        step = self._watch.best.step
        try:
            if step != self._trainer.step:  # else the current weights are the best: only lower the learning rates
                self._trainer.roll_back(checkpoint.load(checkpoint.path_of_step(self._folder, step)))
        except DamagedCheckpoint as error:
            self._listener.trouble(self._trainer.step, "checkpoint_damaged", f"{error} Weights stay as they are.")
            return False
        self._listener.trouble(self._trainer.step, "rolled_back", self._watch.rolled_back())
        self._trainer.rate_multiplier = self._watch.rate_multiplier
        self._rolled_back = True
        return True

    def _beat(self) -> None:
        """Send a heartbeat. A report is not interrupted, because the checkpoint of its step counts it as done."""
        self._listener.beat(self._trainer.step)

    def _beat_or_stop(self) -> None:
        """Send a heartbeat. Raises _Interrupted if a stop was requested."""
        self._listener.beat(self._trainer.step)
        if (stop := self._listener.should_stop()) is not None:
            raise _Interrupted(stop)


def sample_every(recipe: Recipe) -> int:
    """Return the steps between sample sheets: a multiple of `report_every` that gives MAX_SAMPLE_SHEETS at most."""
    return recipe.report_every * -(-recipe.budget.steps // (MAX_SAMPLE_SHEETS * recipe.report_every))


def _step_report(
    trainer: Trainer,
    losses: Losses,
    sampled: bool,
    take_probe: Callable[[], DrawJson] | None,
    beat: Callable[[], None],
) -> StepReport:
    """Collect the losses, gauges and, if wanted, the sample sheet and the probe of a step.

    Synchronises with the device.
    """
    trainer.check_finite()
    scalars = losses | trainer.gauges()
    numbers = torch.stack([value.detach().float() for value in scalars.values()]).tolist()
    sheet = sample_sheet(trainer, beat) if sampled else None
    values = dict(zip(scalars, numbers, strict=True)) | (sheet.values if sheet else {})
    finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
    probe = take_probe() if take_probe else None
    return StepReport(trainer.step, finite, sheet.draw if sheet else None, probe)
