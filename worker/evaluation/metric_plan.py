"""The table of metrics: how each is computed, for which comparisons, and whether it is measured while training.

Live figures and the full evaluation share it. docs/figures.md explains each figure, and models/spec/watch.py says
which recipes may watch it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from data.batches import scaled
from data.readers.builtin import Split
from data.toy import VALID
from models.spec.watch import PROBE
from worker.evaluation.chunked import chunk_size, chunks, downscaled, evenly_spaced
from worker.evaluation.comparison import ComparisonKind, ExampleComparison, comparisons
from worker.evaluation.generator_under_test import GeneratorUnderTest, not_none
from worker.evaluation.metrics.classes import (
    agreement,
    class_modes,
    inception_score,
    intra_diversity,
    pairwise_diversity,
    relative,
    within_class_spread,
)
from worker.evaluation.metrics.distances import frechet, kid, sinkhorn, sliced_wasserstein, transport
from worker.evaluation.metrics.mixtures import divergence, modes
from worker.evaluation.metrics.neighbours import copies, density_coverage, precision, recall, variety
from worker.evaluation.metrics.pictures import psnr, ssim

MAX_PAIRWISE_EXAMPLES = 10_000
"""most real, and most generated examples in metrics that compare all pairs"""
MAX_TRANSPORT_POINTS, MAX_SINKHORN_POINTS = 2_500, 500
"""most real, and most generated points for exact optimal transport and for the Sinkhorn divergence"""

Figures = dict[str, float]
MetricValues = float | tuple[float, ...]
ComparisonKinds = frozenset[ComparisonKind]


@dataclass(frozen=True)
class Metric:
    """One row of the table: a function that computes one figure, or several figures at once."""

    names: tuple[str, ...]
    compute: Callable[[ExampleComparison], MetricValues]
    full: ComparisonKinds = frozenset()
    """kinds of comparison for which the full evaluation computes it"""
    live: ComparisonKinds = frozenset()
    """kinds of comparison for which it is computed while training, where it may cost no more than some steps"""
    when: Callable[[ExampleComparison], bool] = lambda comparison: True
    """whether it applies to the comparison's dataset and recipe"""
    single: bool = False
    """whether it measures each example separately, so that one example is enough"""

    def measure(self, compared: list[ExampleComparison]) -> Figures:
        """Compute the figures by name; for two directions one figure each, and their mean under the plain name."""
        computed = [values if isinstance(values := self.compute(c), tuple) else (values,) for c in compared]
        if len(computed) == 1:
            return dict(zip(self.names, computed[0], strict=True))
        figures: Figures = {}
        for name, values in zip(self.names, zip(*computed, strict=True), strict=True):
            figures |= {f"{name}_{c.direction}": value for c, value in zip(compared, values, strict=True)}
            figures[name] = sum(values) / len(values)
        return figures

    def figure_names(self, compared: list[ExampleComparison]) -> list[str]:
        """Return the names of the figures that `measure` computes."""
        directions = [f"_{c.direction}" for c in compared if c.direction]
        return [f"{name}{direction}" for name in self.names for direction in (*directions, "")]


FROM_NOISE: ComparisonKinds = frozenset({"sampled", "decoded"})
"""kinds whose pictures are sampled from noise"""
BY_FEATURES: ComparisonKinds = frozenset({"sampled", "decoded", "translated", "paired"})
"""kinds whose pictures are compared with real ones by features"""
WITH_TARGETS: ComparisonKinds = frozenset({"translated", "paired", "reconstructed"})
"""kinds whose pictures may have known targets"""
LIVE_FROM_NOISE: ComparisonKinds = frozenset({"sampled"})
LIVE_BY_FEATURES: ComparisonKinds = frozenset({"sampled", "translated"})
LIVE_WITH_TARGETS: ComparisonKinds = frozenset({"paired", "reconstructed"})
"""the subsets of these kinds that are measured while training"""
OF_POINTS: ComparisonKinds = frozenset({"points"})
OF_STRINGS: ComparisonKinds = frozenset({"strings"})


def _on_features(figure: Callable[[Tensor, Tensor], MetricValues]) -> Callable[[ExampleComparison], MetricValues]:
    """Compute a figure on equally many real and generated features: distances to neighbours depend on the number."""
    return lambda c: figure(*equally_many(c.real.features, c.generated.features))


def equally_many(real: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    """Return as many real as generated rows, evenly spaced, at most MAX_PAIRWISE_EXAMPLES of each."""
    limit = MAX_PAIRWISE_EXAMPLES
    return evenly_spaced(real, min(limit, len(generated))), evenly_spaced(generated, limit)


def _variety(real: Tensor, generated: Tensor) -> float:
    equal = min(len(real), len(generated))
    return variety(evenly_spaced(real, equal), evenly_spaced(generated, equal))


def _diversity(real: Tensor, generated: Tensor) -> float:
    return relative(pairwise_diversity, (generated,), (real,))


def _copies(c: ExampleComparison) -> float:
    test = c.test
    return copies(test.originals, downscaled(c.generated.rows[: test.sizes.suspects]), spacing=test.originals_spacing)


def _agreement(c: ExampleComparison) -> float:
    return agreement(c.generated.classes, not_none(c.generated.labels))


def _gan_train(c: ExampleComparison) -> float:
    """Return the accuracy on real pictures of a judge that was trained on generated pictures alone."""
    logits = not_none(c.test.embed(c.test.train_student(c.generated), chunks(c.real.rows))[1])
    return agreement(logits.argmax(dim=1), not_none(c.real.labels))


def _by_class(
    figure: Callable[[Tensor, Tensor], float], c: ExampleComparison, generated: Tensor, real: Tensor
) -> float:
    """Return a figure of generated examples and their labels, divided by the same figure of real examples."""
    generated_labels, real_labels = not_none(c.generated.labels), not_none(c.real.labels)
    return relative(
        figure,
        (evenly_spaced(generated, MAX_PAIRWISE_EXAMPLES), evenly_spaced(generated_labels, MAX_PAIRWISE_EXAMPLES)),
        (evenly_spaced(real, MAX_PAIRWISE_EXAMPLES), evenly_spaced(real_labels, MAX_PAIRWISE_EXAMPLES)),
    )


def _against_targets(figure: Callable[[Tensor, Tensor], float]) -> Callable[[ExampleComparison], float]:
    """Compute a figure of outputs and targets in chunks; return the mean over all pictures."""

    def compute(c: ExampleComparison) -> float:
        targets = not_none(c.targets)
        total, size = 0.0, chunk_size(targets.shape)
        for start in range(0, len(targets), size):
            rows = slice(start, start + size)
            total += figure(c.outputs(rows), scaled(targets[rows])) * len(targets[rows])
            c.test.heartbeat()
        return total / len(targets)

    return compute


def _on_points(figure: Callable[[Tensor, Tensor], float], limit: int) -> Callable[[ExampleComparison], float]:
    """Compute a figure on the first `limit` real and generated points."""
    return lambda c: figure(c.real.rows[:limit], c.generated.rows[:limit])


def _labelled(c: ExampleComparison) -> bool:
    """Return whether the dataset has labels."""
    return c.real.labels is not None


def _conditional(c: ExampleComparison) -> bool:
    """Return whether the generator takes a class as input."""
    return _labelled(c) and c.test.recipe.classes > 0


def _has_two_per_class(c: ExampleComparison) -> bool:
    """Return whether there are two generated and two real examples per class, which take a class."""
    return _conditional(c) and min(c.n_generated, len(c.real)) >= 2 * c.test.recipe.classes


FRECHET_METRIC = Metric(
    ("frechet",), lambda c: frechet(c.real.features, c.generated.features), BY_FEATURES, LIVE_BY_FEATURES
)
TARGET_METRICS = (
    Metric(
        ("psnr",), _against_targets(psnr), WITH_TARGETS, LIVE_WITH_TARGETS, lambda c: c.targets is not None, single=True
    ),
    Metric(("ssim",), _against_targets(ssim), WITH_TARGETS, when=lambda c: c.targets is not None, single=True),
)
METRICS = (
    FRECHET_METRIC,
    Metric(("kid",), _on_features(kid), BY_FEATURES),
    Metric(("precision",), _on_features(precision), FROM_NOISE),
    Metric(("recall",), _on_features(recall), FROM_NOISE, LIVE_BY_FEATURES),
    Metric(("density", "coverage"), _on_features(density_coverage), FROM_NOISE, LIVE_BY_FEATURES),
    Metric(("diversity",), _on_features(_diversity), FROM_NOISE, LIVE_BY_FEATURES),
    Metric(("variety",), _on_features(_variety), FROM_NOISE),
    Metric(
        ("pixel_variety",), lambda c: _variety(*equally_many(c.real.pixels, c.generated.pixels)), live=LIVE_BY_FEATURES
    ),
    Metric(("copies",), _copies, FROM_NOISE, LIVE_FROM_NOISE),
    Metric(
        ("inception_score",), lambda c: inception_score(not_none(c.generated.by_network[1])), FROM_NOISE,
        when=lambda c: c.test.features == "inception" and c.test.network.classes > 0, single=True,
    ),
    Metric(
        ("classifier_score",), lambda c: inception_score(c.generated.logits), FROM_NOISE, when=_labelled, single=True
    ),
    Metric(
        ("modes", "kl"), lambda c: class_modes(c.generated.classes, c.test.judge.classes), FROM_NOISE, LIVE_FROM_NOISE,
        when=lambda c: _labelled(c) and not _conditional(c), single=True,
    ),
    Metric(("agreement",), _agreement, FROM_NOISE, LIVE_FROM_NOISE, _conditional, single=True),
    Metric(("gan_test",), _agreement, FROM_NOISE, when=_conditional, single=True),
    Metric(("gan_train",), _gan_train, FROM_NOISE, when=_conditional),
    Metric(
        ("spread",), lambda c: _by_class(within_class_spread, c, c.generated.rows, c.real.rows), FROM_NOISE,
        when=_has_two_per_class,
    ),
    Metric(
        ("intra_diversity",), lambda c: _by_class(intra_diversity, c, c.generated.features, c.real.features),
        FROM_NOISE, when=_has_two_per_class,
    ),
    Metric(
        (PROBE,), lambda c: c.test.probe.accuracy.value, frozenset({"sampled", "reconstructed"}),
        when=lambda c: c.test.extractor is not None, single=True,
    ),
    *TARGET_METRICS,
    Metric(("divergence",), lambda c: divergence(c.generated.rows, c.mixture), OF_POINTS, OF_POINTS),
    Metric(
        ("sliced_wasserstein",),
        lambda c: sliced_wasserstein(c.real.rows, c.generated.rows, c.test.stream("directions")), OF_POINTS,
    ),
    Metric(("sinkhorn",), _on_points(sinkhorn, MAX_SINKHORN_POINTS), OF_POINTS),
    Metric(("transport",), _on_points(transport, MAX_TRANSPORT_POINTS), OF_POINTS),
    Metric(
        ("modes", "high_quality", "reverse_kl"), lambda c: tuple(modes(c.generated.rows, c.mixture)),
        OF_POINTS, OF_POINTS,
        when=lambda c: c.mixture.modes.shape[1] > 1,  # on a line the modes overlap
    ),
    Metric(
        ("distinct",), lambda c: len(torch.unique(c.symbols, dim=0)) / len(c.symbols),
        OF_STRINGS, OF_STRINGS, single=True,
    ),
    Metric(
        ("valid",), lambda c: float(c.valid.mean()), OF_STRINGS, OF_STRINGS,
        when=lambda c: c.test.recipe.data.dataset in VALID, single=True,
    ),
)  # fmt: skip
"""all metrics, in the order of a report"""


@dataclass(frozen=True)
class Provenance:
    """The origin of figures: only figures of equal provenance can be ranked. Names of fields are those stored."""

    features: str
    """the feature network and the first digits of its sha256; `none` for points and strings"""
    n_real: int
    n_fake: int
    """number of generated examples"""
    resize: str
    """how the feature network resizes pictures"""
    split: Split
    """split of the real examples"""
    seed: int


@dataclass(frozen=True)
class MetricPlan:
    """The metrics that apply to a generator, and the examples that they compare."""

    test: GeneratorUnderTest
    compared: Mapping[ComparisonKind, list[ExampleComparison]]
    live: bool = False
    metrics: tuple[Metric, ...] = METRICS

    @cached_property
    def rows(self) -> list[tuple[Metric, list[ExampleComparison]]]:
        """The applicable metrics, each with its comparisons: one, or two for two directions."""
        return [
            (metric, compared)
            for kind, compared in self.compared.items()
            for metric in self.metrics
            if kind in (metric.live if self.live else metric.full) and metric.when(compared[0])
        ]

    @property
    def names(self) -> list[str]:
        """The names of all figures that can be measured."""
        return [name for metric, compared in self.rows for name in metric.figure_names(compared)]

    def measure(self, requested: Collection[str]) -> Figures:
        """Compute the requested figures. Raises NotFinite."""
        figures: Figures = {}
        for metric, compared in self.rows:
            if set(requested).intersection(metric.figure_names(compared)):
                figures |= {name: value for name, value in metric.measure(compared).items() if name in requested}
                self.test.heartbeat()
        return figures

    def too_few(self, requested: Collection[str]) -> dict[str, str]:
        """Return the requested figures that need more examples, with a sentence each that says what to do."""
        (n_real, n_generated), sizes = self._counts, self.test.sizes
        count = min(n_generated, n_real or n_generated)
        if count >= sizes.minimum:
            return {}
        can_request_more = sizes.generated < sizes.minimum
        remedy = "request a larger n" if can_request_more else "the dataset has no more: add examples to it"
        names = {name for metric, compared in self.rows if not metric.single for name in metric.figure_names(compared)}
        return {
            name: f"'{name}' needs at least {sizes.minimum} examples of each, generated and real, "
            f"and there are {count}; {remedy}."
            for name in sorted(names.intersection(requested))
        }

    def restricted(self, change: Callable[[ExampleComparison], ExampleComparison], *metrics: Metric) -> "MetricPlan":
        """Return a plan of these metrics alone, on comparisons that `change` replaces."""
        changed = {kind: [change(c) for c in compared] for kind, compared in self.compared.items()}
        return replace(self, compared=changed, metrics=metrics)

    @property
    def provenance(self) -> Provenance:
        test, (n_real, n_generated) = self.test, self._counts
        # The Fréchet distance applies wherever features are compared.
        by_features = any(metric is FRECHET_METRIC for metric, _ in self.rows)
        features, resize = (test.mark, test.network.resize) if by_features else ("none", "none")
        return Provenance(features, n_real, n_generated, resize, test.split, test.seed)

    @property
    def _counts(self) -> tuple[int, int]:
        """The numbers of real and of generated examples."""
        compared = self.rows[-1][1]
        return min(c.n_real for c in compared), min(c.n_generated for c in compared)


def plan_metrics(test: GeneratorUnderTest, live: bool = False) -> MetricPlan:
    """Return the metrics that apply to the generator; with `live` only those that are measured while training."""
    return MetricPlan(test, comparisons(test), live)
