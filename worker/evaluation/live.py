"""Live figures, measured while training: the cheap metrics, on few examples and the same latents each time."""

import math
from functools import cached_property
from pathlib import Path

from torch import nn

from data.readers.base import Heartbeat, no_heartbeat
from data.readers.builtin import Data, DatasetMissing, Split
from models.spec.recipe import Recipe
from worker.evaluation.comparison import ExampleComparison
from worker.evaluation.generator_under_test import FeatureNetwork, GeneratorUnderTest, Sizes, domains
from worker.evaluation.metric_plan import FRECHET_METRIC, Figures, MetricPlan, Provenance, plan_metrics

REAL_EXAMPLES = 2_048
"""real examples whose features are compared with those of generated examples"""
MIN_EXAMPLES = 8
"""least number of real, and of generated examples whose features are compared"""
MIN_TRANSLATED = 256
"""least number of pictures of each domain with which translations are compared: twice the number of a judge's features.
A judge trained on fewer ranked blurred translations above sharp ones (docs/photographs.md)"""
COPY_SUSPECTS, COPY_ORIGINALS = 64, 8_000
"""generated pictures that are searched for copies, and training pictures of which they may be copies; a generator that
memorises only others is not detected"""
MIN_POINTS = 2_500
"""least number of generated points: the papers count modes with as many"""
DIVERSITY_FIGURES = {"diversity", "pixel_variety"}
"""figures that are measured below MIN_TRANSLATED too: they do not depend on how the judge ranks pictures"""
SEED = 0
"""seed of the latents: the same for every job, so that figures of jobs with different seeds are comparable"""


class Inspector:
    """An evaluator that compares a training's averaged generator with the training data."""

    def __init__(
        self, recipe: Recipe, generator: nn.Module, data: Data, judges: Path | None, heartbeat: Heartbeat = no_heartbeat
    ) -> None:
        """Prepare the evaluation. `judges` is the folder of stored judges; the first `measure` may train one."""
        self._data = data
        self._test = GeneratorUnderTest(
            recipe, generator, self._load, sizes_of(recipe), judges, seed=SEED, heartbeat=heartbeat
        )

    def measure(self) -> Figures:
        """Measure the generator with its present weights; leave out figures that are not finite. Raises NotFinite."""
        self._test.generator.eval()
        plan = self._plan()
        figures = plan.measure(self._measurable(plan))
        return {name: float(value) for name, value in figures.items() if math.isfinite(value)}

    @cached_property
    def untouched(self) -> float | None:
        """The Fréchet distance between the two domains before translation, the mean of both directions.

        None for games without two domains, and for domains of too few pictures.
        """
        if self._test.recipe.game.kind != "unpaired" or "frechet" not in self._measurable(plan := self._plan()):
            return None
        return plan.restricted(ExampleComparison.of_inputs, FRECHET_METRIC).measure({"frechet"})["frechet"]

    @property
    def provenance(self) -> Provenance:
        """The origin of the figures."""
        return self._plan().provenance

    def load_judge(self) -> FeatureNetwork:
        """Load or train the judge, as the first `measure` that needs it does, and return it."""
        return self._test.judge

    @property
    def loaded_judge(self) -> FeatureNetwork | None:
        """The judge, if it is loaded."""
        return vars(self._test).get("judge")

    def _plan(self) -> MetricPlan:
        return plan_metrics(self._test, live=True)

    def _measurable(self, plan: MetricPlan) -> set[str]:
        """Return the names of the live figures that have enough examples; of two directions only the means."""
        names = {name for metric, _ in plan.rows for name in metric.names}
        if "translated" in plan.compared and min(map(len, domains(self._data))) < MIN_TRANSLATED:
            names &= DIVERSITY_FIGURES
        return names - plan.too_few(names).keys()

    def _load(self, split: Split) -> Data:
        if split != "train":
            raise DatasetMissing("Live figures do not use the test split, because they choose the served checkpoint.")
        return self._data


def sizes_of(recipe: Recipe) -> Sizes:
    """Return the numbers of examples of a live evaluation. Each direction of two translates half of the samples."""
    assert recipe.watch is not None
    generated, real = recipe.watch.samples, REAL_EXAMPLES
    if recipe.game.kind == "unpaired":
        generated //= 2
    if recipe.data.kind == "points":  # compared with the true mixture, not with real examples
        generated, real = max(MIN_POINTS, generated), 0
    return Sizes(generated, real, suspects=COPY_SUSPECTS, originals=COPY_ORIGINALS, minimum=MIN_EXAMPLES, quick=True)
