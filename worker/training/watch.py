"""Decide what follows from each evaluation: which checkpoint is best, and whether to stop or roll back."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from models.spec.recipe import Recipe
from models.spec.watch import FIGURES
from models.spec.watch import Watch as Spec
from worker.training.health import Health, LiveEvaluation, Trouble, troubles


@dataclass(frozen=True)
class BestEvaluation:
    """The evaluation whose declared metric is best; of equal ones the last."""

    step: int
    metric: str
    value: float


@dataclass(frozen=True)
class ServedCheckpoint:
    """The evaluation whose checkpoint is served, why, and all its figures."""

    best: BestEvaluation
    why: str
    figures: dict[str, float]
    health: Health


@dataclass(frozen=True)
class EarlyEnd:
    """Why a training ended before its budget: a code, and a sentence."""

    code: str
    message: str


@dataclass
class Watch:
    """Everything here follows from the recipe and the evaluations; it is saved with every checkpoint."""

    recipe: Recipe
    history: list[LiveEvaluation] = field(default_factory=list)
    best: BestEvaluation | None = None
    roll_backs: int = 0
    since: int = 0
    """step from which patience counts: that at which the job was extended"""
    ending: EarlyEnd | None = None

    def take(self, evaluation: LiveEvaluation) -> list[Trouble]:
        """Note an evaluation; the troubles that it brings and the one before did not."""
        before = {trouble.kind for trouble in self._troubles()}
        self.history.append(evaluation)
        value = evaluation.figures.get(self._spec.metric, math.nan)
        if math.isfinite(value) and (self.best is None or not self._better(self.best.value, value)):
            self.best = BestEvaluation(evaluation.step, self._spec.metric, value)
        return [trouble for trouble in self._troubles() if trouble.kind not in before]

    def follow(self, found: Sequence[Trouble]) -> bool:
        """Whether to go back to the best checkpoint; sets `ending` where training is to end."""
        grave = next((trouble for trouble in found if trouble.serious), None)
        if grave is not None and self._spec.policy == "stop":
            self.ending = EarlyEnd("stopped_by_watch", f"Training was stopped at step {self._step}: {grave.message}")
        elif grave is not None and self.may_roll_back:
            return True
        elif self._patience_spent:
            self.ending = EarlyEnd("stopped_early", self._why_early())
        return False

    @property
    def may_roll_back(self) -> bool:
        return self._spec.policy == "roll_back" and self.best is not None and self.roll_backs < self._spec.roll_backs

    def rolled_back(self) -> str:
        """Note that weights were taken back; the sentence that tells it."""
        assert self.best is not None
        spec = self._spec
        self.roll_backs += 1
        if self.history:
            self.history[-1] = replace(self.history[-1], rolled_back=True)
        return (
            f"Weights are taken back to those of step {self.best.step}, the best so far, and learning rates are "
            f"multiplied by {spec.slower:g}. This is roll back {self.roll_backs} of at most {spec.roll_backs}."
        )

    @property
    def rate(self) -> float:
        """What the learning rates are multiplied by."""
        return float(self._spec.slower**self.roll_backs)

    def served(self) -> ServedCheckpoint | None:
        """What is to be served, with the reason; None where no evaluation had the metric."""
        if self.best is None:
            return None
        figure = FIGURES[self.best.metric]
        figures = next(entry.figures for entry in self.history if entry.step == self.best.step)
        why = (
            f"Step {self.best.step} of {self._step}: its {figure.title}, {self.best.value:.4g}, is the "
            f"{'lowest' if figure.better == 'low' else 'highest'} of {len(self.history)} evaluations."
        )
        return ServedCheckpoint(self.best, why, figures, self._health_of(self.best.step))

    def health(self) -> Health | None:
        """What the evaluations until now show; None before the first."""
        return self._judged(self.history, self._troubles()) if self.history else None

    def state_dict(self) -> dict[str, Any]:
        return {
            "history": [asdict(evaluation) for evaluation in self.history],
            "best": self.best and asdict(self.best),
            "roll_backs": self.roll_backs,
            "since": self.since,
            "ending": self.ending and asdict(self.ending),
        }

    def load_state_dict(self, state: dict[str, Any], extended_at: int | None) -> None:
        """`extended_at` is the step at which the job was last extended: an ending before it is over."""
        self.history = [LiveEvaluation.load(entry) for entry in state["history"]]
        self.best = None if state["best"] is None else BestEvaluation(**state["best"])
        self.roll_backs, self.since = state["roll_backs"], state["since"]
        self.ending = None if state["ending"] is None else EarlyEnd(**state["ending"])
        if extended_at is not None and extended_at > self.since:
            self.since, self.ending = extended_at, None

    def _health_of(self, step: int) -> Health:
        """Judge the weights of an evaluated step as if the budget had ended there, and add what happened later.

        Weights that had learned little take the later trouble as their own: it is the cause, and more steps do not
        help.
        """
        seen = [evaluation for evaluation in self.history if evaluation.step <= step]
        health, later = self._judged(seen, troubles(seen, self._spec.metric, step)), self._troubles()
        if step == self._step or not later:
            return health
        if health.kind == "undertrained":
            return Health.troubled(later[0].kind, step, later[0].message)
        if health.state == "healthy":
            return replace(health, message=f"{health.message} Later, at step {self._step}: {later[0].message}")
        return health

    def _judged(self, seen: Sequence[LiveEvaluation], found: Sequence[Trouble]) -> Health:
        now, metric = seen[-1], self._spec.metric
        if found:
            return Health.troubled(found[0].kind, now.step, found[0].message)
        title = FIGURES[metric].title
        measured = f"its {title} is {now.get(metric):.4g}" if metric in now.figures else f"its {title} is not measured"
        count = "one evaluation" if len(seen) == 1 else f"{len(seen)} evaluations"
        return Health("healthy", None, now.step, f"No trouble is seen after {count}: {measured}.")

    def _troubles(self) -> list[Trouble]:
        seen = [evaluation for evaluation in self.history if evaluation.step > self.since]
        return troubles(seen, self._spec.metric, self.recipe.budget.steps)

    @property
    def _spec(self) -> Spec:
        assert self.recipe.watch is not None
        return self.recipe.watch

    @property
    def _step(self) -> int:
        return self.history[-1].step

    def _better(self, value: float, than: float) -> bool:
        return value < than if FIGURES[self._spec.metric].better == "low" else value > than

    @property
    def _patience_spent(self) -> bool:
        patience = self._spec.patience
        if patience is None or self._step >= self.recipe.budget.steps:
            return False
        back = max((seen.step for seen in self.history if seen.rolled_back), default=0)
        last_good = max(self.since, back, self.best.step if self.best else 0)
        return sum(evaluation.step > last_good for evaluation in self.history) >= patience

    def _why_early(self) -> str:
        title, patience = FIGURES[self._spec.metric].title, self._spec.patience
        if self.best is None:
            return f"Training ended early at step {self._step}: {patience} evaluations gave no {title} at all."
        return (
            f"Training ended early at step {self._step}: none of the last {patience} evaluations had a better {title} "
            f"than that of step {self.best.step}, {self.best.value:.4g}."
        )
