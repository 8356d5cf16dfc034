"""Diagnose a training from its evaluations.

Losses say little: a critic that guesses has the loss of the theory's equilibrium whatever the pictures are, and one
that always wins may teach well. So trouble is told by what is drawn, and the critic only says which trouble it is.
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
"""share of the budget in which drawing one thing only is how most generators begin"""
LOW_VARIETY, HIGH_REVERSE_KL = 0.6, 0.65
"""variety below which pictures repeat themselves, reverse KL divergence above which half of the modes are missing"""
LOW_DISTINCT = 0.1
"""share of different strings"""
CRITIC_GUESSES, CRITIC_SUSPECTS, CRITIC_SEES_THROUGH, CRITIC_ALWAYS_WINS = 0.58, 0.65, 0.95, 0.98
"""accuracies of the critic: below the first a critic guesses, above the others it suspects, sees through, always wins
"""
VARIETY_DROP = 0.5
"""share of the greatest variety so far"""
FAR_BELOW = {"coverage": 0.2, "high_quality": 0.3, "valid": 0.2}
"""below these little has been learned"""
MANY_COPIES = 0.3
"""share of near copies"""
LARGE_SWING = 0.4
"""mean change of a figure from one evaluation to the next, over its mean"""
OLD_NAMES = {"told_apart": "critic_accuracy", "variety": "pixel_variety"}
"""names in checkpoints of the version before"""
MIN_GAIN = 0.1
"""share of a figure by which it must get better to be progress"""


@dataclass(frozen=True)
class LiveEvaluation:
    """What was measured at one step: the finite figures, and the share of pairs that the critic ordered rightly."""

    step: int
    figures: dict[str, float]
    critic_accuracy: float | None = None
    rolled_back: bool = False
    """weights were taken back to an earlier checkpoint after it"""
    untouched: float | None = None
    """Fréchet distance between two unpaired piles before translation; None for other games"""

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> "LiveEvaluation":
        """Read one that a checkpoint holds. The version before named two things differently."""
        figures = {OLD_NAMES.get(name, name): value for name, value in entry["figures"].items()}
        return cls(**{OLD_NAMES.get(name, name): value for name, value in entry.items()} | {"figures": figures})

    def get(self, name: str) -> float:
        """NaN where there is no such figure: every comparison with it is false."""
        return self.figures.get(name, math.nan)

    @property
    def variety(self) -> float:
        """In pixels; NaN where there is none."""
        return self.get("pixel_variety")

    @property
    def accuracy(self) -> float:
        """Of the critic; NaN where there is none."""
        return math.nan if self.critic_accuracy is None else self.critic_accuracy

    @property
    def far(self) -> bool:
        """Whether generated examples are far from the data.

        Translated pictures show other scenes than the target pile, so coverage is low even of good ones. They count as
        far when translation did not lower their Fréchet distance to that pile.
        """
        if self.untouched is not None:
            return self.get("frechet") >= self.untouched
        return any(self.get(name) < bar for name, bar in FAR_BELOW.items())


@dataclass(frozen=True)
class Trouble:
    """One finding. Grave ones do not pass by themselves: a policy may act on them."""

    kind: TroubleKind
    message: str
    serious: bool


@dataclass(frozen=True)
class Health:
    """What the evaluations until `step` show. `kind` is that of the gravest trouble, None where there is none."""

    state: Literal["healthy", "troubled"]
    kind: str | None
    step: int
    message: str

    @classmethod
    def troubled(cls, kind: str, step: int, message: str) -> "Health":
        return cls("troubled", kind, step, message)


@dataclass(frozen=True)
class EvaluationHistory:
    """Evaluations since the start or the last roll back, of a training of so many `steps`, by a declared metric."""

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
    def over(self) -> bool:
        """Whether this is the last evaluation of the budget."""
        return self.now.step >= self.steps

    def in_last(self, count: int, seen: Callable[[LiveEvaluation], bool]) -> bool:
        """Whether it was seen in each of the last so many evaluations."""
        return len(self.evaluations) >= count and all(map(seen, self.evaluations[-count:]))

    @property
    def only(self) -> bool:
        """Whether this is the only evaluation of a budget that is over."""
        return self.over and len(self.evaluations) == 1

    def guessed(self, count: int) -> bool:
        """Whether the critic saw nothing in the last so many, though there was much to be seen."""
        return self.in_last(count, lambda seen: seen.accuracy < CRITIC_GUESSES and seen.far)

    @property
    def values(self) -> list[float]:
        """Of the metric."""
        return [evaluation.get(self.metric) for evaluation in self.evaluations]


def troubles(evaluations: Sequence[LiveEvaluation], metric: str, steps: int) -> list[Trouble]:
    """What the evaluations until now show. Grave troubles first."""
    begin = max((place for place, entry in enumerate(evaluations) if entry.rolled_back), default=-1) + 1
    if begin >= len(evaluations):
        return []
    history = EvaluationHistory(evaluations[begin:], metric, steps)
    rules = EARLY_RULES if history.early else RULES
    found = [trouble for rule in rules if (trouble := rule(history)) is not None]
    return [trouble for trouble in found if trouble.kind != "undertrained" or len(found) == 1]


def _fails(history: EvaluationHistory) -> Trouble | None:
    """The losses of the theory's equilibrium, and poor pictures."""
    if not history.guessed(4):
        return None
    message = (
        f"The losses rest because the critic tells only {history.now.accuracy:.0%} of pairs apart, and what is made "
        "is still far from the data. Give the critic more width, or the generator less."
    )
    return Trouble("converged_but_fails", message, serious=True)


def _collapses(history: EvaluationHistory) -> Trouble | None:
    most = max((seen.variety for seen in history.evaluations if not math.isnan(seen.variety)), default=math.nan)
    fallen = history.in_last(
        2, lambda seen: seen.variety < min(LOW_VARIETY, VARIETY_DROP * most) and seen.accuracy > CRITIC_SUSPECTS
    )
    # A single evaluation cannot tell who fell from who has only begun: the latter is far from the data.
    at_once = history.only and not history.now.far and _one_sided(history.now)
    if not (fallen or at_once or history.in_last(2, _one_sided)) or history.guessed(4):
        return None
    message = (
        f"The generator repeats itself: {_collapse_evidence(history.now)}. Try another objective or a penalty (wgan_gp, r3gan), "
        "packing or minibatch features, or a lower learning rate."
    )
    return Trouble("collapse", message, serious=True)


def _one_sided(seen: LiveEvaluation) -> bool:
    """Slow generators repeat themselves for long before they learn more, but a critic does not see through those."""
    repeats = seen.variety < LOW_VARIETY and seen.accuracy > CRITIC_SEES_THROUGH
    return repeats or seen.get("reverse_kl") > HIGH_REVERSE_KL or seen.get("distinct") < LOW_DISTINCT


def _collapse_evidence(now: LiveEvaluation) -> str:
    if now.variety < LOW_VARIETY:
        return f"made pictures lie {now.variety:.2f} times as far from each other as real ones"
    if now.get("distinct") < LOW_DISTINCT:
        return f"{now.get('distinct'):.0%} of its strings are different"
    return f"nearly all of what it makes lies at a few of the modes (reverse KL divergence {now.get('reverse_kl'):.2f})"


def _saturates(history: EvaluationHistory) -> Trouble | None:
    """A critic that always wins is no trouble while the generator learns from it."""
    if not history.in_last(4, lambda seen: seen.accuracy > CRITIC_ALWAYS_WINS and seen.far) or _gains(history, 4):
        return None
    message = (
        f"The critic tells {history.now.accuracy:.0%} of pairs apart and the generator learns nothing from it any "
        "more. Lower the critic's learning rate, add a gradient penalty or instance noise, or smooth its labels."
    )
    return Trouble("critic_saturated", message, serious=True)


def _too_weak(history: EvaluationHistory) -> Trouble | None:
    if not history.guessed(2):
        return None
    message = (
        f"The critic tells only {history.now.accuracy:.0%} of pairs apart although what is made is far from the data. "
        "Make it wider, raise its learning rate or let it move more often."
    )
    return Trouble("critic_too_weak", message, serious=False)


def _oscillates(history: EvaluationHistory) -> Trouble | None:
    """Up and down each time, widely."""
    values = history.values[-6:]
    if len(values) < 6 or not all(map(math.isfinite, values)):
        return None
    changes = [later - earlier for earlier, later in pairwise(values)]
    turns = sum(one * other < 0 for one, other in pairwise(changes))
    if turns < 4 or fmean(map(abs, changes)) < LARGE_SWING * abs(fmean(values)) or not history.now.far:
        return None
    title = FIGURES[history.metric].title
    message = (
        f"The {title} swings between {min(values):.4g} and {max(values):.4g}. Lower both learning rates, or average "
        "the weights over a longer time (ema.decay)."
    )
    return Trouble("oscillation", message, serious=False)


def _stands_still(history: EvaluationHistory) -> Trouble | None:
    """Not: it is good and stays so."""
    if len(history.evaluations) < 6 or not history.now.far or _gains(history, len(history.evaluations) - 1):
        return None
    title = FIGURES[history.metric].title
    message = f"The {title} is no better after {history.now.step:,} steps than at the beginning. Look at the samples."
    return Trouble("no_progress", message, serious=False)


def _memorises(history: EvaluationHistory) -> Trouble | None:
    if not history.in_last(2, lambda seen: seen.get("copies") > MANY_COPIES):
        return None
    message = (
        f"{history.now.get('copies'):.0%} of what is made is nearly a training example. Use more data, differentiable "
        "augmentation (game.augment) or smaller networks."
    )
    return Trouble("memorising", message, serious=True)


def _is_undertrained(history: EvaluationHistory) -> Trouble | None:
    """The budget is over and little has been learned. It names no cause: other rules go before it."""
    if not history.over or not history.now.far:
        return None
    message = (
        f"After {history.now.step:,} steps what is made is still far from the data: {_how_far(history.now)}. Train "
        "longer (forger extend), or choose another family."
    )
    return Trouble("undertrained", message, serious=False)


def _how_far(now: LiveEvaluation) -> str:
    if now.untouched is not None:
        return f"its {FIGURES['frechet'].title} is {now.get('frechet'):.4g}, and untouched it is {now.untouched:.4g}"
    name, value = next((name, now.get(name)) for name, bar in FAR_BELOW.items() if now.get(name) < bar)
    return f"its {FIGURES[name].title} is {value:.2f}"


def _gains(history: EvaluationHistory, count: int) -> bool:
    """Whether the best of the last so many evaluations is better than all before them by GAIN."""
    sign = 1 if FIGURES[history.metric].better == "high" else -1
    values = [sign * value for value in history.values if math.isfinite(value)]
    before, lately = values[:-count], values[-count:]
    if not before or not lately:
        return True
    return max(lately) > max(before) + MIN_GAIN * abs(max(before))


RULES: tuple[Callable[[EvaluationHistory], Trouble | None], ...] = (
    _collapses,
    _fails,
    _saturates,
    _memorises,
    _too_weak,
    _oscillates,
    _stands_still,
    _is_undertrained,
)
EARLY_RULES = (_memorises, _stands_still)
"""rules that hold for the young too"""
