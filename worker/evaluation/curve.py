"""Measure fidelity against diversity over temperatures and over thresholds of truncation."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.evaluation.generator_under_test import GeneratorUnderTest
from worker.evaluation.metric_plan import equally_many
from worker.evaluation.metrics.distances import frechet
from worker.evaluation.metrics.neighbours import precision, recall

MAX_CURVE_EXAMPLES = 2_000
"""generated examples at each point of the curve"""
SETTINGS: Mapping[str, Sequence[float]] = {
    "temperature": (0.25, 0.5, 0.75, 1.0),
    "truncation": (0.25, 0.5, 1.0, 1.5, 2.0),
}
"""values at which each is measured while the other has no effect"""


def fidelity_curve(test: GeneratorUnderTest) -> dict[str, Any]:
    """Return for each setting a list of its values with the figures there.

    Precision is the fidelity and recall the diversity, as Kynkaanniemi et al. (2019) plot them over truncation. All
    points have the same noise. Raises NotFinite.
    """
    points = {
        name: [{name: value, **_figures(test, **{name: value})} for value in values]
        for name, values in SETTINGS.items()
    }
    return points | {"n": min(len(test.real), test.sizes.generated)}


def _figures(test: GeneratorUnderTest, **setting: float) -> dict[str, float]:
    generated = test.sample(**setting)
    compared = equally_many(test.real.features, generated.features)
    test.heartbeat()
    distance = frechet(test.real.features, generated.features)
    return {"precision": precision(*compared), "recall": recall(*compared), "frechet": distance}
