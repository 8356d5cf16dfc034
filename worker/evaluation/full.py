"""The full evaluation of a trained generator: every metric that fits it, with its provenance."""

import math
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

from torch import nn

from data.images import encode
from data.readers.builtin import Data, Split
from models.spec.recipe import Recipe
from worker.evaluation.comparison import Comparison
from worker.evaluation.generator_under_test import CannotMeasure, Features, GeneratorUnderTest, Sizes, present
from worker.evaluation.metric_plan import CLOSENESS, Figures, Plan, plan_of
from worker.evaluation.metrics.classes import agreement_by_class
from worker.evaluation.metrics.pictures import BASELINES
from worker.evaluation.report_sheet import picture_of

LACKING = "It has no value here: the examples that it is measured by are equal."


@dataclass(frozen=True, eq=False)
class Evaluation:
    figures: Figures
    per_class: dict[str, dict[str, float]]
    """by figure, by number of the class"""
    baselines: dict[str, Figures]
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
    plan = plan_of(GeneratorUnderTest(recipe, generator, load, Sizes(n), cache, features, seed, weights, beat))
    asked = set(plan.names if only is None else only).intersection(plan.names)
    if not asked:
        raise CannotMeasure(f"None of these figures fits this model; choose from {', '.join(plan.names)}.")
    lacking = plan.too_few(asked)
    wanted = asked - lacking.keys()
    if not wanted:
        raise CannotMeasure(next(iter(lacking.values())))
    figures = plan.measure(wanted)
    lacking |= {name: LACKING for name, value in figures.items() if math.isnan(value)}
    compared = plan.rows[-1][1]
    picture = picture_of(compared)
    return Evaluation(
        figures=figures,
        per_class={"agreement": _by_class(compared[0])} if "agreement" in figures else {},
        baselines=_baselines(plan, wanted),
        lacking=lacking,
        provenance=asdict(plan.provenance) | {"step": step},
        picture=None if picture is None else encode(picture),
    )


def _by_class(c: Comparison) -> dict[str, float]:
    """Class agreement by number of the class."""
    shares = agreement_by_class(c.made.classes, present(c.made.labels))
    return {str(number): share for number, share in shares.items()}


def _baselines(plan: Plan, wanted: Collection[str]) -> dict[str, Figures]:
    """How near to the right answers ways come that learn nothing, where something is translated."""
    if any(c.statistics is None for _, compared in plan.rows for c in compared):
        return {}
    found = {name: plan.of(methodcaller("by_baseline", name), *CLOSENESS).measure(wanted) for name in BASELINES}
    return {name: figures for name, figures in found.items() if figures}
