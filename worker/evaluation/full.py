"""The full evaluation of a trained generator: every metric that fits it, with its provenance and a picture."""

import math
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from data.images import encode, scatter, sheet, text_sheet
from data.levels import Pixels, to_bits
from data.readers.builtin import Data, Split
from data.toy import VALID, spell
from models.features import FeatureExtractor
from models.spec.datasets import DATASETS
from models.spec.recipe import Recipe
from models.spec.watch import PROBE
from worker.evaluation.chunked import downscaled
from worker.evaluation.comparison import ExampleComparison
from worker.evaluation.curve import MAX_CURVE_EXAMPLES, fidelity_curve
from worker.evaluation.generator_under_test import CannotMeasure, Features, GeneratorUnderTest, Sizes, not_none
from worker.evaluation.metric_plan import TARGET_METRICS, Figures, MetricPlan, plan_metrics
from worker.evaluation.metrics.classes import agreement_by_class
from worker.evaluation.metrics.neighbours import nearest
from worker.evaluation.metrics.pictures import BASELINES

POINTS_SHOWN, STRINGS_SHOWN, SCATTER_SIDE, PICTURES_SHOWN = 2_500, 64, 512, 16
"""in the report's picture: number of points, number of strings, side of a scatter plot in pixels, number of pictures"""
UNDEFINED_FIGURE = "It has no value here: the examples that it compares are equal."


@dataclass(frozen=True, eq=False)
class FullEvaluation:
    """The result of a full evaluation; the names of its fields are those of the stored report."""

    figures: Figures
    per_class: dict[str, dict[str, float]]
    """for some figures their value for each class, by figure and number of the class"""
    baselines: dict[str, Figures]
    """figures of baselines that learn nothing, by baseline"""
    lacking: dict[str, str]
    """why a requested figure is missing, by figure"""
    provenance: dict[str, Any]
    curve: dict[str, Any] | None
    """precision, recall and Frechet distance over temperatures and thresholds of truncation, if requested"""
    probe: dict[str, Any] | None
    """the linear probe of the model's features, if it was requested"""
    picture: bytes | None
    """a PNG: generated pictures beside their nearest training pictures, or outputs beside inputs and targets"""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON report: all fields but the picture, without a curve or probe that was not requested."""
        left_out = {"picture"} | {name for name in ("curve", "probe") if getattr(self, name) is None}
        return {name: value for name, value in self.__dict__.items() if name not in left_out}


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
    heartbeat: Callable[[], None] = lambda: None,
    only: Collection[str] | None = None,
    curve: bool = False,
    extractor: FeatureExtractor | None = None,
) -> FullEvaluation:
    """Measure `generator`, the averaged one in eval mode, with at most `n` generated examples.

    They are compared with the test split, or with the training split of a dataset without one; `load` raises
    DatasetMissing for a split that does not exist. `cache` is the folder of stored judges, `weights` the folder that
    may hold Inception. `only` names the figures to compute; None: all that apply. `curve`: whether a generator
    that draws pictures from noise also gets its curve of fidelity (`fidelity_curve`). `extractor` is needed for the
    figure `probe`. `heartbeat` is called after each part of the work. Raises CannotMeasure, CannotProbe, DatasetMissing
    and WeightsMissing.
    """
    plan = plan_metrics(
        GeneratorUnderTest(recipe, generator, load, Sizes(n), cache, features, seed, weights, heartbeat, extractor)
    )
    requested = set(plan.names if only is None else only).intersection(plan.names)
    if not requested:
        raise CannotMeasure(f"None of these figures fits this model; choose from {', '.join(plan.names)}.")
    lacking = plan.too_few(requested)
    computable = requested - lacking.keys()
    if not computable:
        raise CannotMeasure(next(iter(lacking.values())))
    figures = plan.measure(computable)
    lacking |= {name: UNDEFINED_FIGURE for name, value in figures.items() if math.isnan(value)}
    compared = plan.rows[-1][1]
    picture = _picture(compared)
    if curve and "precision" in plan.names and (few := plan.too_few({"precision"})):
        lacking["curve"] = few["precision"]
    return FullEvaluation(
        figures=figures,
        per_class={"agreement": _by_class(compared[0])} if "agreement" in figures else {},
        baselines=_baselines(plan, computable),
        lacking=lacking,
        provenance=asdict(plan.provenance) | {"step": step},
        curve=_curve(plan) if curve and "curve" not in lacking else None,
        probe=asdict(plan.test.probe) if PROBE in figures else None,
        picture=None if picture is None else encode(picture),
    )


def _curve(plan: MetricPlan) -> dict[str, Any] | None:
    """Return the curve of fidelity of pictures from noise, of at most MAX_CURVE_EXAMPLES; None for other examples."""
    if "precision" not in plan.names:
        return None
    sizes = plan.test.sizes
    fewer = replace(sizes, generated=min(sizes.generated, MAX_CURVE_EXAMPLES))
    return fidelity_curve(replace(plan.test, sizes=fewer))


def _by_class(c: ExampleComparison) -> dict[str, float]:
    """Return the agreement of each class, by the number of the class."""
    shares = agreement_by_class(c.generated.classes, not_none(c.generated.labels))
    return {str(number): share for number, share in shares.items()}


def _baselines(plan: MetricPlan, wanted: Collection[str]) -> dict[str, Figures]:
    """Return the figures of the baselines against the targets, by baseline; {} if nothing is translated."""
    if any(c.statistics is None for _, compared in plan.rows for c in compared):
        return {}
    measured = {
        name: plan.restricted(partial(replace, baseline=name), *TARGET_METRICS).measure(wanted) for name in BASELINES
    }
    return {name: figures for name, figures in measured.items() if figures}


def _picture(compared: list[ExampleComparison]) -> Pixels | None:
    """Render some of the compared examples; return None for points on a line."""
    first = compared[0]
    match first.kind:
        case "points" if first.mixture.modes.shape[1] == 1:
            return None
        case "points":
            real, generated = (examples.rows[:POINTS_SHOWN].numpy() for examples in (first.real, first.generated))
            return scatter(generated, SCATTER_SIDE, real, first.mixture.modes)
        case "strings":
            return _text(first)
        case "sampled" | "decoded":
            return _beside_nearest(first)
        case "reconstructed":
            return _side_by_side([[not_none(first.targets), first.generated.rows]])
        case _:
            return _side_by_side([_row(c) for c in compared])


def _text(c: ExampleComparison) -> Pixels:
    """Render generated strings, the valid ones ticked."""
    name = c.test.recipe.data.dataset
    ticked = c.valid[:STRINGS_SHOWN].tolist() if name in VALID else None
    return text_sheet(spell(c.symbols[:STRINGS_SHOWN].numpy(), DATASETS[name].alphabet), ticked)


def _beside_nearest(c: ExampleComparison) -> Pixels:
    """Render generated pictures, each beside the training picture nearest to it."""
    shown = c.generated.rows[:PICTURES_SHOWN]
    return _side_by_side([[shown, not_none(c.test.train.images)[nearest(c.test.originals, downscaled(shown))]]])


def _row(c: ExampleComparison) -> list[Tensor]:
    """Return the inputs, outputs and targets of a comparison, as far as it has them."""
    return [pictures for pictures in (c.inputs, c.generated.rows, c.targets) if pictures is not None]


def _side_by_side(directions: list[list[Tensor]]) -> Pixels:
    """Render pictures that belong together side by side; each group has one kind per column, and two stand in a row.

    PICTURES_SHOWN of each kind are shown in all, divided among the directions.
    """
    n = PICTURES_SHOWN // len(directions)
    rows = [torch.stack([pictures[:n] for pictures in group], dim=1).flatten(0, 1) for group in directions]
    pixels = to_bits(torch.cat(rows).permute(0, 2, 3, 1).contiguous().numpy(), 8)
    return sheet(pixels, columns=2 * len(directions[0]), gap=1)
