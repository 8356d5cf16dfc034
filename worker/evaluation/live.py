"""Live metrics while training: the cheap rows of the table, of few examples, the same latents each time."""

import math
from functools import cached_property
from pathlib import Path

from torch import nn

from data.readers.base import Beat, no_heartbeat
from data.readers.builtin import Data, DatasetMissing, Split
from models.spec.recipe import Recipe
from worker.evaluation.comparison import Comparison
from worker.evaluation.generator_under_test import GeneratorUnderTest, Sizes, piles
from worker.evaluation.metric_plan import FRECHET, Figures, Plan, Provenance, plan_of

REFERENCE = 2_048
"""real examples whose features made ones are compared with"""
FEWEST = 8
"""examples on either side with which something can be said of features"""
FEWEST_TRANSLATED = 256
"""pictures that each pile needs before translations are compared: twice the number of a judge's features. A judge that
learned from fewer ranked blurred translations above sharp ones (docs/photographs.md)
"""
SUSPECTS, ORIGINALS = 64, 8_000
"""made pictures that are looked for among so many training pictures; who learns many more by heart is not seen here"""
POINTS = 2_500
"""made to count modes, as the papers do"""
COLLAPSE = {"diversity", "pixel_variety"}
"""figures that need no comparison of the two piles"""
SEED = 0
"""of the latents: the same for every job, so that figures of different seeds can be compared"""


class Inspector:
    """Measures the averaged generator of a training, beside its training data."""

    def __init__(
        self, recipe: Recipe, generator: nn.Module, data: Data, judges: Path | None, beat: Beat = no_heartbeat
    ) -> None:
        """`judges` is the folder that keeps judges: one may learn at the first look. `beat` is called all along."""
        self._data = data
        self._test = GeneratorUnderTest(recipe, generator, self._load, sizes_of(recipe), judges, seed=SEED, beat=beat)

    def look(self) -> Figures:
        """Measure the averaged generator as it is now; leave out what cannot be computed. Raises NotFinite."""
        self._test.generator.eval()
        plan = self._plan()
        figures = plan.measure(self._wanted(plan))
        return {name: float(value) for name, value in figures.items() if math.isfinite(value)}

    @cached_property
    def untouched(self) -> float | None:
        """Measure the Fréchet distance between the two piles before translation, the mean of both directions.

        None for games without two piles, and for piles of too few pictures.
        """
        if self._test.recipe.game.kind != "unpaired" or "frechet" not in self._wanted(plan := self._plan()):
            return None
        return plan.by(Comparison.untouched, FRECHET).measure({"frechet"})["frechet"]

    @property
    def provenance(self) -> Provenance:
        """Where the figures come from."""
        return self._plan().provenance

    def _plan(self) -> Plan:
        return plan_of(self._test, live=True)

    def _wanted(self, plan: Plan) -> set[str]:
        """The live figures; of two directions their means alone."""
        names = {name for metric, _ in plan.rows for name in metric.names}
        if "translated" in plan.compared and min(map(len, piles(self._data))) < FEWEST_TRANSLATED:
            names &= COLLAPSE
        return names - plan.too_few(names).keys()

    def _load(self, split: Split) -> Data:
        if split != "train":
            raise DatasetMissing("A training is not measured on its test split: what is served is chosen by it.")
        return self._data


def sizes_of(recipe: Recipe) -> Sizes:
    """How much is measured at each evaluation of a training. Half of the examples are translated each way."""
    assert recipe.watch is not None
    made, real = recipe.watch.samples, REFERENCE
    if recipe.game.kind == "unpaired":
        made //= 2
    if recipe.data.kind == "points":  # which are held against the true mixture, not against examples
        made, real = max(POINTS, made), 0
    return Sizes(made, real, suspects=SUSPECTS, originals=ORIGINALS, fewest=FEWEST, quick=True)
