"""The watch: decide after each evaluation which checkpoint is best, and whether to stop or to roll back."""

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
    """The evaluation with the best value of the declared metric; the last one of equal ones."""

    step: int
    metric: str
    value: float


@dataclass(frozen=True)
class ServedCheckpoint:
    """The evaluation whose checkpoint is served, with the reason (a sentence) and all its figures."""

    best: BestEvaluation
    reason: str
    figures: dict[str, float]
    health: Health


@dataclass(frozen=True)
class EarlyEnd:
    """The reason why a training ended before its budget: a code, and a sentence."""

    code: str
    message: str


@dataclass
class Watch:
    """The evaluations of a training and the decisions so far. They depend on the recipe and the evaluations alone.

    Every checkpoint holds them.
    """

    recipe: Recipe
    history: list[LiveEvaluation] = field(default_factory=list)
    best: BestEvaluation | None = None
    roll_backs: int = 0
    since: int = 0
    """step from which patience counts: 0, or the step at which the job was last extended"""
    ending: EarlyEnd | None = None

    def add(self, evaluation: LiveEvaluation) -> list[Trouble]:
        """Add an evaluation, and return the troubles that are new with it."""
        before = {trouble.kind for trouble in self._troubles()}
        self.history.append(evaluation)
        value = evaluation.figures.get(self._spec.metric, math.nan)
        if math.isfinite(value) and (self.best is None or not self._better(self.best.value, value)):
            self.best = BestEvaluation(evaluation.step, self._spec.metric, value)
        return [trouble for trouble in self._troubles() if trouble.kind not in before]

    def decide(self, new_troubles: Sequence[Trouble]) -> bool:
        """Return whether to roll back to the best checkpoint; set `ending` if training should end."""
        serious = next((trouble for trouble in new_troubles if trouble.serious), None)
        if serious is not None and self._spec.policy == "stop":
            self.ending = EarlyEnd("stopped_by_watch", f"Training was stopped at step {self._step}: {serious.message}")
        elif serious is not None and self.may_roll_back:
            return True
        elif self._patience_spent:
            self.ending = EarlyEnd("stopped_early", self._early_end_reason())
        return False

    @property
    def may_roll_back(self) -> bool:
        return self._spec.policy == "roll_back" and self.best is not None and self.roll_backs < self._spec.roll_backs

    def rolled_back(self) -> str:
        """Count a roll back and lower the learning rates; return the sentence that reports it."""
        assert self.best is not None
        spec = self._spec
        self.roll_backs += 1
        if self.history:
            self.history[-1] = replace(self.history[-1], rolled_back=True)
        return (
            f"Weights are rolled back to those of step {self.best.step}, the best so far, and learning rates are "
            f"multiplied by {spec.slower:g}. This is roll back {self.roll_backs} of at most {spec.roll_backs}."
        )

    @property
    def rate_multiplier(self) -> float:
        """The factor of the learning rates after all roll backs so far, in (0, 1]."""
        return float(self._spec.slower**self.roll_backs)

    def served(self) -> ServedCheckpoint | None:
        """Return which checkpoint to serve, with the reason; None if no evaluation had the metric."""
        if self.best is None:
            return None
        figure = FIGURES[self.best.metric]
        figures = next(entry.figures for entry in self.history if entry.step == self.best.step)
        reason = (
            f"Step {self.best.step} of {self._step}: its {figure.title}, {self.best.value:.4g}, is the "
            f"{'lowest' if figure.better == 'low' else 'highest'} of {len(self.history)} evaluations."
        )
        return ServedCheckpoint(self.best, reason, figures, self._health_of(self.best.step))

    def health(self) -> Health | None:
        """Return the health that the evaluations so far show; None before the first."""
        return self._summarise(self.history, self._troubles()) if self.history else None

    def state_dict(self) -> dict[str, Any]:
        return {
            "history": [asdict(evaluation) for evaluation in self.history],
            "best": self.best and asdict(self.best),
            "roll_backs": self.roll_backs,
            "since": self.since,
            "ending": self.ending and asdict(self.ending),
        }

    def load_state_dict(self, state: dict[str, Any], extended_at: int | None) -> None:
        """Load a state. `extended_at`, the step at which the job was last extended, voids an earlier `ending`."""
        self.history = [LiveEvaluation.load(entry) for entry in state["history"]]
        self.best = None if state["best"] is None else BestEvaluation(**state["best"])
        self.roll_backs, self.since = state["roll_backs"], state["since"]
        self.ending = None if state["ending"] is None else EarlyEnd(**state["ending"])
        if extended_at is not None and extended_at > self.since:
            self.since, self.ending = extended_at, None

    def _health_of(self, step: int) -> Health:
        """Return the health of the weights of an evaluated step as if the budget had ended there, with later troubles.

        Undertrained weights get the later trouble as their own: it is the cause, and more steps do not help.
        """
        until_then = [evaluation for evaluation in self.history if evaluation.step <= step]
        health = self._summarise(until_then, troubles(until_then, self._spec.metric, step))
        later = self._troubles()
        if step == self._step or not later:
            return health
        if health.kind == "undertrained":
            return Health.troubled(later[0].kind, step, later[0].message)
        if health.state == "healthy":
            return replace(health, message=f"{health.message} Later, at step {self._step}: {later[0].message}")
        return health

    def _summarise(self, evaluations: Sequence[LiveEvaluation], found: Sequence[Trouble]) -> Health:
        """Return the first trouble as the health after these evaluations, or a healthy state if there is none."""
        now, metric = evaluations[-1], self._spec.metric
        if found:
            return Health.troubled(found[0].kind, now.step, found[0].message)
        title = FIGURES[metric].title
        measured = f"its {title} is {now.get(metric):.4g}" if metric in now.figures else f"its {title} is not measured"
        count = "one evaluation" if len(evaluations) == 1 else f"{len(evaluations)} evaluations"
        return Health("healthy", None, now.step, f"No trouble is seen after {count}: {measured}.")

    def _troubles(self) -> list[Trouble]:
        evaluations = [evaluation for evaluation in self.history if evaluation.step > self.since]
        return troubles(evaluations, self._spec.metric, self.recipe.budget.steps)

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
        last_roll_back = max((evaluation.step for evaluation in self.history if evaluation.rolled_back), default=0)
        last_good = max(self.since, last_roll_back, self.best.step if self.best else 0)
        return sum(evaluation.step > last_good for evaluation in self.history) >= patience

    def _early_end_reason(self) -> str:
        title, patience = FIGURES[self._spec.metric].title, self._spec.patience
        if self.best is None:
            return f"Training ended early at step {self._step}: {patience} evaluations gave no {title} at all."
        return (
            f"Training ended early at step {self._step}: none of the last {patience} evaluations had a better {title} "
            f"than that of step {self.best.step}, {self.best.value:.4g}."
        )
