"""The full evaluation of a trained generator: every metric that fits it, with its provenance and a picture."""

import math
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from data.images import Pixels, encode, scatter, sheet, text_sheet
from data.readers.builtin import Data, Split
from data.toy import VALID, spell
from models.spec.datasets import DATASETS
from models.spec.recipe import Recipe
from worker.evaluation.chunked import small
from worker.evaluation.comparison import Comparison
from worker.evaluation.generator_under_test import CannotMeasure, Features, GeneratorUnderTest, Sizes, present
from worker.evaluation.metric_plan import CLOSENESS, Figures, Plan, plan_of
from worker.evaluation.metrics.classes import agreement_by_class
from worker.evaluation.metrics.neighbours import nearest
from worker.evaluation.metrics.pictures import BASELINES

POINTS, STRINGS, SCATTER, SHOWN = 2_500, 64, 512, 16
"""points, strings, pixels of a scatter plot, and pictures on the sheet"""
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
    picture = _picture(compared)
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
    found = {name: plan.by(partial(replace, baseline=name), *CLOSENESS).measure(wanted) for name in BASELINES}
    return {name: figures for name, figures in found.items() if figures}


def _picture(compared: list[Comparison]) -> Pixels | None:
    """Draw some of what was compared; None for points on a line."""
    first = compared[0]
    match first.kind:
        case "points" if first.mixture.modes.shape[1] == 1:
            return None
        case "points":
            real, made = (examples.rows[:POINTS].numpy() for examples in (first.real, first.made))
            return scatter(made, SCATTER, real, first.mixture.modes)
        case "strings":
            return _text(first)
        case "drawn" | "decoded":
            return _beside_nearest(first)
        case "rebuilt":
            return _side_by_side([[present(first.wanted), first.made.rows]])
        case _:
            return _side_by_side([_row(c) for c in compared])


def _text(c: Comparison) -> Pixels:
    """Strings, the valid ones ticked."""
    name = c.test.recipe.data.dataset
    ticked = c.valid[:STRINGS].tolist() if name in VALID else None
    return text_sheet(spell(c.symbols[:STRINGS].numpy(), DATASETS[name].alphabet), ticked)


def _beside_nearest(c: Comparison) -> Pixels:
    """Pairs of a made picture and the training picture nearest to it."""
    shown = c.made.rows[:SHOWN]
    return _side_by_side([[shown, present(c.test.train.images)[nearest(c.test.originals, small(shown))]]])


def _row(c: Comparison) -> list[Tensor]:
    """What belongs side by side: given, made and wanted, as far as there are such."""
    return [pile for pile in (c.given, c.made.rows, c.wanted) if pile is not None]


def _side_by_side(ways: list[list[Tensor]]) -> Pixels:
    """Pictures that belong together stand side by side, twice a row; SHOWN of each kind in all."""
    rows = [torch.stack([pile[: SHOWN // len(ways)] for pile in way], dim=1).flatten(0, 1) for way in ways]
    pictures = torch.cat(rows).permute(0, 2, 3, 1).contiguous().numpy()
    return sheet(pictures, columns=2 * len(ways[0]), gap=1)
