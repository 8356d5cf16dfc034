"""Diagnose a training from its evaluations.

Losses say little: a critic that guesses has the loss of the theoretical equilibrium whatever the pictures are, and one
that always wins may still teach the generator well. So the rules detect trouble from the generated examples, and use
the critic's accuracy only to tell which trouble it is.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal

from models.spec.watch import FIGURES

TroubleKind = Literal[
    "collapse", "converged_but_fails", "critic_saturated", "memorising",
    "critic_too_weak", "oscillation", "no_progress", "undertrained",
]  # fmt: skip

EARLY_SHARE = 0.3
"""share of the budget in which most generators still draw one thing only, so that collapse is no trouble yet"""
LOW_VARIETY, HIGH_REVERSE_KL = 0.6, 0.65
"""variety below which pictures repeat themselves; reverse KL divergence above which half of the modes are missing"""
LOW_DISTINCT = 0.1
"""share of different strings below which strings repeat themselves"""
CRITIC_GUESSES, CRITIC_SUSPECTS, CRITIC_SEES_THROUGH, CRITIC_ALWAYS_WINS = 0.58, 0.65, 0.95, 0.98
"""accuracies of the critic: it guesses below the first, and above the others it suspects, sees through, always wins"""
VARIETY_DROP = 0.5
"""share of the greatest variety so far, below which variety has dropped"""
FAR_BELOW = {"coverage": 0.2, "high_quality": 0.3, "valid": 0.2}
"""by figure, the value below which generated examples are far from the data"""
MANY_COPIES = 0.3
"""share of near copies above which the generator memorises"""
LARGE_SWING = 0.4
"""mean change of a figure from one evaluation to the next, over its mean, from which it oscillates"""
OLD_NAMES = {"told_apart": "critic_accuracy", "variety": "pixel_variety"}
"""by name in checkpoints of the version before, the name now"""
MIN_GAIN = 0.1
"""share by which a figure must get better to count as progress"""


@dataclass(frozen=True)
class LiveEvaluation:
    """The finite figures at one step, and the share of pairs that the critic ordered rightly until then."""

    step: int
    figures: dict[str, float]
    critic_accuracy: float | None = None
    rolled_back: bool = False
    """whether weights were rolled back to an earlier checkpoint after it"""
    untouched: float | None = None
    """Fréchet distance between the two unpaired domains before translation; None for other games"""

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> "LiveEvaluation":
        """Read an evaluation from a checkpoint. The version before used other names for two fields."""
        figures = {OLD_NAMES.get(name, name): value for name, value in entry["figures"].items()}
        return cls(**{OLD_NAMES.get(name, name): value for name, value in entry.items()} | {"figures": figures})

    def get(self, name: str) -> float:
        """Return a figure; NaN if it was not measured, so that every comparison with it is false."""
        return self.figures.get(name, math.nan)

    @property
    def variety(self) -> float:
        """Variety of the pixels, about 1 for real pictures; NaN if it was not measured."""
        return self.get("pixel_variety")

    @property
    def accuracy(self) -> float:
        """Accuracy of the critic; NaN in games without a critic."""
        return math.nan if self.critic_accuracy is None else self.critic_accuracy

    @property
    def far_from_data(self) -> bool:
        """Whether generated examples are far from the data.

        Translated pictures show other scenes than the target domain, so even good ones have a low coverage. They count
        as far if translation did not lower their Fréchet distance to that domain.
        """
        if self.untouched is not None:
            return self.get("frechet") >= self.untouched
        return any(self.get(name) < limit for name, limit in FAR_BELOW.items())


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong. Serious trouble does not pass by itself: a policy may act on it."""

    kind: TroubleKind
    message: str
    serious: bool


@dataclass(frozen=True)
class Health:
    """The state that the evaluations until `step` show. `kind` is that of the worst trouble, None if there is none."""

    state: Literal["healthy", "troubled"]
    kind: str | None
    step: int
    message: str

    @classmethod
    def troubled(cls, kind: str, step: int, message: str) -> "Health":
        return cls("troubled", kind, step, message)


@dataclass(frozen=True)
class EvaluationHistory:
    """The evaluations since the start or the last roll back. `steps` is the budget, `metric` the declared metric."""

    evaluations: Sequence[LiveEvaluation]
    metric: str
    steps: int

    @property
    def now(self) -> LiveEvaluation:
        return self.evaluations[-1]

    @property
    def early(self) -> bool:
        return self.now.step < EARLY_SHARE * self.steps

    @property
    def budget_spent(self) -> bool:
        """Whether this is the last evaluation of the budget."""
        return self.now.step >= self.steps

    def in_last(self, count: int, sign: Callable[[LiveEvaluation], bool]) -> bool:
        """Return whether each of the last `count` evaluations shows the sign."""
        return len(self.evaluations) >= count and all(map(sign, self.evaluations[-count:]))

    @property
    def is_only_one(self) -> bool:
        """Whether the budget is spent and this was its only evaluation."""
        return self.budget_spent and len(self.evaluations) == 1

    def critic_guessed(self, count: int) -> bool:
        """Return whether the critic guessed in the last `count` evaluations though fakes were far from the data."""
        return self.in_last(count, lambda entry: entry.accuracy < CRITIC_GUESSES and entry.far_from_data)

    @property
    def values(self) -> list[float]:
        """Values of the metric, NaN where it was not measured."""
        return [evaluation.get(self.metric) for evaluation in self.evaluations]


def troubles(evaluations: Sequence[LiveEvaluation], metric: str, steps: int) -> list[Trouble]:
    """Return the troubles that the evaluations so far show, in the order of RULES, the worst first."""
    start = max((index for index, entry in enumerate(evaluations) if entry.rolled_back), default=-1) + 1
    if start >= len(evaluations):
        return []
    history = EvaluationHistory(evaluations[start:], metric, steps)
    rules = EARLY_RULES if history.early else RULES
    found = [trouble for rule in rules if (trouble := rule(history)) is not None]
    return [trouble for trouble in found if trouble.kind != "undertrained" or len(found) == 1]


def _converged_but_fails(history: EvaluationHistory) -> Trouble | None:
    """Detect the losses of the theoretical equilibrium with poor pictures."""
    if not history.critic_guessed(4):
        return None
    message = (
        f"The losses stand still because the critic tells only {history.now.accuracy:.0%} of pairs apart, and "
        "generated examples are still far from the data. Give the critic more width, or the generator less."
    )
    return Trouble("converged_but_fails", message, serious=True)


def _collapses(history: EvaluationHistory) -> Trouble | None:
    """Detect a generator that draws few different things, twice in a row."""
    greatest = max((entry.variety for entry in history.evaluations if not math.isnan(entry.variety)), default=math.nan)
    dropped = history.in_last(
        2, lambda entry: entry.variety < min(LOW_VARIETY, VARIETY_DROP * greatest) and entry.accuracy > CRITIC_SUSPECTS
    )
    # A single evaluation shows collapse only near the data: a generator that has just begun also repeats itself.
    at_once = history.is_only_one and not history.now.far_from_data and _repeats_itself(history.now)
    if not (dropped or at_once or history.in_last(2, _repeats_itself)) or history.critic_guessed(4):
        return None
    message = (
        f"The generator repeats itself: {_collapse_evidence(history.now)}. Try another objective or a penalty "
        "(as the families wgan_gp and r3gan have), packing or minibatch features, or a lower learning rate of the "
        "generator."
    )
    return Trouble("collapse", message, serious=True)


def _repeats_itself(entry: LiveEvaluation) -> bool:
    """Return whether few different things are drawn.

    A slow generator also repeats itself for long before it learns more, but its critic does not see through it.
    """
    repeats = entry.variety < LOW_VARIETY and entry.accuracy > CRITIC_SEES_THROUGH
    return repeats or entry.get("reverse_kl") > HIGH_REVERSE_KL or entry.get("distinct") < LOW_DISTINCT


def _collapse_evidence(now: LiveEvaluation) -> str:
    if now.variety < LOW_VARIETY:
        return f"generated pictures lie {now.variety:.2f} times as far from each other as real ones"
    if now.get("distinct") < LOW_DISTINCT:
        return f"{now.get('distinct'):.0%} of its strings are different"
    where = "near none of the modes" if now.get("modes") == 0 else "at a few of the modes"
    return f"nearly all of its points lie {where} (reverse KL divergence {now.get('reverse_kl'):.2f})"


def _critic_saturates(history: EvaluationHistory) -> Trouble | None:
    """Detect a critic that always wins. It is no trouble while the generator still learns from it."""
    wins = history.in_last(4, lambda entry: entry.accuracy > CRITIC_ALWAYS_WINS and entry.far_from_data)
    if not wins or _gains(history, 4):
        return None
    message = (
        f"The critic tells {history.now.accuracy:.0%} of pairs apart, and the generator no longer learns from it. "
        "Lower the critic's learning rate, add a gradient penalty or instance noise, or smooth its labels."
    )
    return Trouble("critic_saturated", message, serious=True)


def _critic_too_weak(history: EvaluationHistory) -> Trouble | None:
    if not history.critic_guessed(2):
        return None
    message = (
        f"The critic tells only {history.now.accuracy:.0%} of pairs apart although generated examples are far from the "
        "data. Make it wider, raise its learning rate or give it more turns (turns.critic_steps)."
    )
    return Trouble("critic_too_weak", message, serious=False)


def _oscillates(history: EvaluationHistory) -> Trouble | None:
    """Detect a metric that goes up and down by much, from evaluation to evaluation."""
    values = history.values[-6:]
    if len(values) < 6 or not all(map(math.isfinite, values)):
        return None
    changes = [later - earlier for earlier, later in pairwise(values)]
    reversals = sum(one * other < 0 for one, other in pairwise(changes))
    if reversals < 4 or fmean(map(abs, changes)) < LARGE_SWING * abs(fmean(values)) or not history.now.far_from_data:
        return None
    title = FIGURES[history.metric].title
    message = (
        f"The {title} swings between {min(values):.4g} and {max(values):.4g}. Lower both learning rates, or average "
        "the weights over a longer time (ema.decay)."
    )
    return Trouble("oscillation", message, serious=False)


def _makes_no_progress(history: EvaluationHistory) -> Trouble | None:
    """Detect a metric that never got better. Near the data it may stay as it is: then it is good."""
    if len(history.evaluations) < 6 or not history.now.far_from_data or _gains(history, len(history.evaluations) - 1):
        return None
    title = FIGURES[history.metric].title
    message = f"The {title} is no better after {history.now.step:,} steps than at the beginning. Look at the samples."
    return Trouble("no_progress", message, serious=False)


def _memorises(history: EvaluationHistory) -> Trouble | None:
    if not history.in_last(2, lambda entry: entry.get("copies") > MANY_COPIES):
        return None
    message = (
        f"{history.now.get('copies'):.0%} of generated examples are near copies of training examples. Use more data, "
        "differentiable augmentation (game.augment) or smaller networks."
    )
    return Trouble("memorising", message, serious=True)


def _is_undertrained(history: EvaluationHistory) -> Trouble | None:
    """Detect a spent budget with poor examples. It names no cause, so `troubles` reports any other rule instead."""
    if not history.budget_spent or not history.now.far_from_data:
        return None
    steps = "1 step" if history.now.step == 1 else f"{history.now.step:,} steps"
    message = (
        f"After {steps} generated examples are still far from the data: {_distance(history.now)}. "
        "Train longer (forger extend), or choose another family."
    )
    return Trouble("undertrained", message, serious=False)


def _distance(now: LiveEvaluation) -> str:
    if now.untouched is not None:
        title = FIGURES["frechet"].title
        return f"their {title} is {now.get('frechet'):.4g}, and without translation it is {now.untouched:.4g}"
    name, value = next((name, now.get(name)) for name, limit in FAR_BELOW.items() if now.get(name) < limit)
    return f"their {FIGURES[name].title} is {value:.2f}"


def _gains(history: EvaluationHistory, count: int) -> bool:
    """Return whether the best of the last `count` evaluations is better than all before them by MIN_GAIN."""
    sign = 1 if FIGURES[history.metric].better == "high" else -1
    values = [sign * value for value in history.values if math.isfinite(value)]
    before, recent = values[:-count], values[-count:]
    if not before or not recent:
        return True
    return max(recent) > max(before) + MIN_GAIN * abs(max(before))


RULES: tuple[Callable[[EvaluationHistory], Trouble | None], ...] = (
    _collapses,
    _converged_but_fails,
    _critic_saturates,
    _memorises,
    _critic_too_weak,
    _oscillates,
    _makes_no_progress,
    _is_undertrained,
)
EARLY_RULES = (_memorises, _makes_no_progress)
"""rules that also hold while `EvaluationHistory.early` is true"""
