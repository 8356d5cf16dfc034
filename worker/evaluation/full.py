"""The full evaluation of a trained generator: every metric that fits it, with its provenance.

What training measures on its way is the inspector's; what the figures mean stands in docs/figures.md.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from data.images import encode
from data.readers.builtin import Data, Split
from models.spec.recipe import Recipe
from worker.evaluation.generator_under_test import CannotMeasure, Exam, Features
from worker.evaluation.metric_plan import Measure, Plan, plan_of

__all__ = ["CannotMeasure", "Evaluation", "Features", "Provenance", "evaluate"]

FEWEST = 16
"""examples on either side that are compared as distributions"""
SINGLE = frozenset((
    "psnr", "ssim", "agreement", "gan_test", "classifier_score", "inception_score", "modes", "kl", "valid", "distinct",
))  # fmt: skip
"""figures of each example by itself, which need one"""
LACKING = "It has no value here: the examples that it is measured by are equal."


@dataclass(frozen=True)
class Provenance:
    """Where figures come from. Only figures of equal provenance can be ranked."""

    features: str
    """the network they are compared by, with the beginning of its sha256; none for points and strings"""
    n_real: int
    n_fake: int
    resize: str
    split: Split
    """of the real examples"""
    seed: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    figures: dict[str, float]
    per_class: dict[str, dict[str, float]]
    """by figure, by number of the class"""
    baselines: dict[str, dict[str, float]]
    """by name of what does without learning, the figures it has"""
    lacking: dict[str, str]
    """by name of a figure that was wanted, why it is not there"""
    provenance: dict[str, Any]
    picture: bytes | None
    """a PNG: made pictures beside their nearest training examples, or beside what was given and what was wanted"""

    def as_dict(self) -> dict[str, Any]:
        """As JSON, without the picture."""
        return {name: value for name, value in self.__dict__.items() if name != "picture"}


def evaluate(
    recipe: Recipe,
    generator: nn.Module,
    step: int,
    load: Callable[[Split], Data],
    *,
    n: int,
    cache: Path,
    features: Features = "own",
    seed: int = 0,
    weights: Path | None = None,
    beat: Callable[[], None] = lambda: None,
    only: Collection[str] | None = None,
) -> Evaluation:
    """Measure `generator`, an averaged one in eval mode, with `n` examples of its own at most.

    `load` raises DatasetMissing for a split that is not there; the reference is the test split, else the training one.
    `cache` keeps judges; `weights` is the folder that may hold Inception; `beat` is called all along; `only` names the
    figures that are wanted. Raises CannotMeasure, DatasetMissing and WeightsMissing.
    """
    exam = Exam(recipe, generator, load, n, features, seed, cache, weights, beat)
    plan = plan_of(exam)
    possible = [name for names, _ in plan.measures for name in names]
    asked = set(possible if only is None else only)
    if not asked & set(possible):
        raise CannotMeasure(f"None of these figures fits this model; choose from {', '.join(possible)}.")
    lacking = _too_few(asked.intersection(possible), plan, n)
    wanted = asked - lacking.keys()
    if not wanted & set(possible):
        raise CannotMeasure(next(iter(lacking.values())))
    compared = plan.compared
    provenance = Provenance(
        features=exam.mark if compared else "none",
        n_real=plan.n_real,
        n_fake=plan.n_fake,
        resize=exam.network.resize if compared else "none",
        split=exam.split,
        seed=seed,
    )
    measure = partial(_measured, wanted=wanted, beat=beat)
    figures = measure(plan.measures)
    lacking |= {name: LACKING for name, value in figures.items() if math.isnan(value)}
    return Evaluation(
        figures=figures,
        per_class={name: figures() for name, figures in plan.per_class.items() if name in wanted},
        baselines={name: own for name, measures in plan.baselines.items() if (own := measure(measures))},
        lacking=lacking,
        provenance=asdict(provenance) | {"step": step},
        picture=None if plan.picture is None else encode(plan.picture()),
    )


def _too_few(names: Collection[str], plan: Plan, n: int) -> dict[str, str]:
    """Of these figures those that need more examples, with what to do."""
    few = min(plan.n_fake, plan.n_real)
    remedy = "ask for a larger n" if n < FEWEST else "the dataset has no more: add examples to it"
    return {
        name: f"'{name}' needs at least {FEWEST} examples on either side, and there are {few}; {remedy}."
        for name in sorted(names)
        if few < FEWEST and name.partition("_a2b")[0].partition("_b2a")[0] not in SINGLE
    }


def _measured(measures: Sequence[Measure], wanted: set[str], beat: Callable[[], None]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for names, measure in measures:
        if wanted.intersection(names):
            figures |= {name: value for name, value in zip(names, measure(), strict=True) if name in wanted}
            beat()
    return figures
