"""The table of metrics: how each is computed, what it applies to, and whether it is measured while training.

Live figures and the full evaluation share it. docs/figures.md explains each figure, and models/spec/watch.py says
which recipes may declare it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from data.batches import scaled
from data.readers.builtin import Split
from data.toy import VALID
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

MAX_PAIRWISE = 10_000
"""examples of each side at most in metrics that compare all pairs"""
MAX_TRANSPORT_POINTS, MAX_SINKHORN_POINTS = 2_500, 500
"""points of each side at most for exact optimal transport and for the Sinkhorn divergence"""

Figures = dict[str, float]
MetricValues = float | tuple[float, ...]
ComparisonKinds = frozenset[ComparisonKind]


@dataclass(frozen=True)
class Metric:
    """One row of the table: a function that computes one figure, or several at once."""

    names: tuple[str, ...]
    compute: Callable[[ExampleComparison], MetricValues]
    full: ComparisonKinds = frozenset()
    """kinds of comparison for which the full evaluation computes it"""
    live: ComparisonKinds = frozenset()
    """kinds of comparison for which it is computed while training: it costs no more than some steps"""
    when: Callable[[ExampleComparison], bool] = lambda comparison: True
    """whether it applies to the dataset at hand"""
    single: bool = False
    """whether it looks at each example separately, so that one example is enough"""

    def of(self, compared: list[ExampleComparison]) -> Figures:
        """Compute the figures by name; for two directions one figure each, and their mean under the plain name."""
        computed = [values if isinstance(values := self.compute(c), tuple) else (values,) for c in compared]
        if len(computed) == 1:
            return dict(zip(self.names, computed[0], strict=True))
        figures: Figures = {}
        for name, values in zip(self.names, zip(*computed, strict=True), strict=True):
            figures |= {f"{name}_{c.direction}": value for c, value in zip(compared, values, strict=True)}
            figures[name] = sum(values) / len(values)
        return figures

    def figures(self, compared: list[ExampleComparison]) -> list[str]:
        """Return the names of the figures that `of` computes."""
        directions = [f"_{c.direction}" for c in compared if c.direction]
        return [f"{name}{direction}" for name in self.names for direction in (*directions, "")]


DRAWN: ComparisonKinds = frozenset({"drawn", "decoded"})
COMPARED: ComparisonKinds = frozenset({"drawn", "decoded", "translated", "answered"})
ANSWERED: ComparisonKinds = frozenset({"translated", "answered", "rebuilt"})
POINTS: ComparisonKinds = frozenset({"points"})
STRINGS: ComparisonKinds = frozenset({"strings"})
LIVE_DRAWN: ComparisonKinds = frozenset({"drawn"})
LIVE_COMPARED: ComparisonKinds = frozenset({"drawn", "translated"})
LIVE_ANSWERED: ComparisonKinds = frozenset({"answered", "rebuilt"})


def _on_features(figure: Callable[[Tensor, Tensor], MetricValues]) -> Callable[[ExampleComparison], MetricValues]:
    """Compute a figure on equally many real and fake features, since neighbour distances depend on the number."""
    return lambda c: figure(*_same_number(c.real.features, c.fake.features))


def _same_number(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    return evenly_spaced(real, min(MAX_PAIRWISE, len(fake))), evenly_spaced(fake, MAX_PAIRWISE)


def _variety(real: Tensor, fake: Tensor) -> float:
    equal = min(len(real), len(fake))
    return variety(evenly_spaced(real, equal), evenly_spaced(fake, equal))


def _diversity(real: Tensor, fake: Tensor) -> float:
    return relative(pairwise_diversity, (fake,), (real,))


def _copies(c: ExampleComparison) -> float:
    test = c.test
    return copies(test.originals, downscaled(c.fake.rows[: test.sizes.suspects]), spacing=test.originals_spacing)


def _agreement(c: ExampleComparison) -> float:
    return agreement(c.fake.classes, not_none(c.fake.labels))


def _gan_train(c: ExampleComparison) -> float:
    """Return the accuracy on real pictures of a judge that was trained on fakes alone."""
    logits = not_none(c.test.embed(c.test.train_student(c.fake), chunks(c.real.rows))[1])
    return agreement(logits.argmax(dim=1), not_none(c.real.labels))


def _by_class(figure: Callable[[Tensor, Tensor], float], c: ExampleComparison, fake: Tensor, real: Tensor) -> float:
    """Compute a figure of examples and their labels, and return that of fakes divided by that of real examples."""
    fake_labels, real_labels = not_none(c.fake.labels), not_none(c.real.labels)
    return relative(
        figure,
        (evenly_spaced(fake, MAX_PAIRWISE), evenly_spaced(fake_labels, MAX_PAIRWISE)),
        (evenly_spaced(real, MAX_PAIRWISE), evenly_spaced(real_labels, MAX_PAIRWISE)),
    )


def _against_targets(figure: Callable[[Tensor, Tensor], float]) -> Callable[[ExampleComparison], float]:
    """Compute a figure of outputs and targets chunk by chunk, and return the mean over all pictures."""

    def compute(c: ExampleComparison) -> float:
        targets = not_none(c.targets)
        total, size = 0.0, chunk_size(targets.shape)
        for start in range(0, len(targets), size):
            rows = slice(start, start + size)
            total += figure(c.part(rows), scaled(targets[rows])) * len(targets[rows])
            c.test.beat()
        return total / len(targets)

    return compute


def _on_points(figure: Callable[[Tensor, Tensor], float], limit: int) -> Callable[[ExampleComparison], float]:
    """Compute a figure on the first `limit` real and generated points."""
    return lambda c: figure(c.real.rows[:limit], c.fake.rows[:limit])


def _labelled(c: ExampleComparison) -> bool:
    return c.real.labels is not None


def _conditional(c: ExampleComparison) -> bool:
    """Return whether the generator takes a class."""
    return _labelled(c) and c.test.recipe.classes > 0


def _has_two_per_class(c: ExampleComparison) -> bool:
    return _conditional(c) and min(c.n_fake, len(c.real)) >= 2 * c.test.recipe.classes


FRECHET = Metric(("frechet",), lambda c: frechet(c.real.features, c.fake.features), COMPARED, LIVE_COMPARED)
TARGET_METRICS = (
    Metric(("psnr",), _against_targets(psnr), ANSWERED, LIVE_ANSWERED, lambda c: c.targets is not None, single=True),
    Metric(("ssim",), _against_targets(ssim), ANSWERED, when=lambda c: c.targets is not None, single=True),
)
METRICS = (
    FRECHET,
    Metric(("kid",), _on_features(kid), COMPARED),
    Metric(("precision",), _on_features(precision), DRAWN),
    Metric(("recall",), _on_features(recall), DRAWN, LIVE_COMPARED),
    Metric(("density", "coverage"), _on_features(density_coverage), DRAWN, LIVE_COMPARED),
    Metric(("diversity",), _on_features(_diversity), DRAWN, LIVE_COMPARED),
    Metric(("variety",), _on_features(_variety), DRAWN),
    Metric(("pixel_variety",), lambda c: _variety(*_same_number(c.real.pixels, c.fake.pixels)), live=LIVE_COMPARED),
    Metric(("copies",), _copies, DRAWN, LIVE_DRAWN),
    Metric(
        ("inception_score",), lambda c: inception_score(not_none(c.fake.by_network[1])), DRAWN,
        when=lambda c: c.test.features == "inception" and c.test.network.classes > 0, single=True,
    ),
    Metric(("classifier_score",), lambda c: inception_score(c.fake.logits), DRAWN, when=_labelled, single=True),
    Metric(
        ("modes", "kl"), lambda c: class_modes(c.fake.classes, c.test.judge.classes), DRAWN, LIVE_DRAWN,
        when=lambda c: _labelled(c) and not _conditional(c), single=True,
    ),
    Metric(("agreement",), _agreement, DRAWN, LIVE_DRAWN, _conditional, single=True),
    Metric(("gan_test",), _agreement, DRAWN, when=_conditional, single=True),
    Metric(("gan_train",), _gan_train, DRAWN, when=_conditional),
    Metric(
        ("spread",), lambda c: _by_class(within_class_spread, c, c.fake.rows, c.real.rows), DRAWN,
        when=_has_two_per_class,
    ),
    Metric(
        ("intra_diversity",), lambda c: _by_class(intra_diversity, c, c.fake.features, c.real.features), DRAWN,
        when=_has_two_per_class,
    ),
    *TARGET_METRICS,
    Metric(("divergence",), lambda c: divergence(c.fake.rows, c.mixture), POINTS, POINTS),
    Metric(
        ("sliced_wasserstein",), lambda c: sliced_wasserstein(c.real.rows, c.fake.rows, c.test.stream("directions")),
        POINTS,
    ),
    Metric(("sinkhorn",), _on_points(sinkhorn, MAX_SINKHORN_POINTS), POINTS),
    Metric(("transport",), _on_points(transport, MAX_TRANSPORT_POINTS), POINTS),
    Metric(
        ("modes", "high_quality", "reverse_kl"), lambda c: tuple(modes(c.fake.rows, c.mixture)), POINTS, POINTS,
        when=lambda c: c.mixture.modes.shape[1] > 1,  # on a line the modes overlap
    ),
    Metric(
        ("distinct",), lambda c: len(torch.unique(c.symbols, dim=0)) / len(c.symbols), STRINGS, STRINGS, single=True
    ),
    Metric(
        ("valid",), lambda c: float(c.valid.mean()), STRINGS, STRINGS,
        when=lambda c: c.test.recipe.data.dataset in VALID, single=True,
    ),
)  # fmt: skip
"""in the order of a report"""


@dataclass(frozen=True)
class Provenance:
    """The origin of figures: only figures of equal provenance can be ranked."""

    features: str
    """the feature network with the beginning of its sha256; `none` for points and strings"""
    n_real: int
    n_fake: int
    resize: str
    split: Split
    """split of the real examples"""
    seed: int


@dataclass(frozen=True)
class MetricPlan:
    """The rows of the table that apply to a generator, and the examples that they compare."""

    test: GeneratorUnderTest
    compared: Mapping[ComparisonKind, list[ExampleComparison]]
    live: bool = False
    metrics: tuple[Metric, ...] = METRICS

    @cached_property
    def rows(self) -> list[tuple[Metric, list[ExampleComparison]]]:
        return [
            (metric, compared)
            for kind, compared in self.compared.items()
            for metric in self.metrics
            if kind in (metric.live if self.live else metric.full) and metric.when(compared[0])
        ]

    @property
    def names(self) -> list[str]:
        return [name for metric, compared in self.rows for name in metric.figures(compared)]

    def measure(self, wanted: Collection[str]) -> Figures:
        """Compute the figures named in `wanted`. Raises NotFinite."""
        figures: Figures = {}
        for metric, compared in self.rows:
            if set(wanted).intersection(metric.figures(compared)):
                figures |= {name: value for name, value in metric.of(compared).items() if name in wanted}
                self.test.beat()
        return figures

    def too_few(self, wanted: Collection[str]) -> dict[str, str]:
        """Return by name the wanted figures that need more examples, with a sentence that says what to do."""
        (n_real, n_fake), sizes = self._counts, self.test.sizes
        count = min(n_fake, n_real or n_fake)
        if count >= sizes.minimum:
            return {}
        remedy = "request a larger n" if sizes.fake < sizes.minimum else "the dataset has no more: add examples to it"
        names = {name for metric, compared in self.rows if not metric.single for name in metric.figures(compared)}
        return {
            name: f"'{name}' needs at least {sizes.minimum} examples on either side, and there are {count}; {remedy}."
            for name in sorted(names.intersection(wanted))
        }

    def restricted(self, change: Callable[[ExampleComparison], ExampleComparison], *metrics: Metric) -> "MetricPlan":
        """Return a plan of these metrics alone, on changed comparisons."""
        changed = {kind: [change(c) for c in compared] for kind, compared in self.compared.items()}
        return replace(self, compared=changed, metrics=metrics)

    @property
    def provenance(self) -> Provenance:
        test, (n_real, n_fake) = self.test, self._counts
        # The Fréchet distance applies wherever a feature network compares.
        by_features = any(metric is FRECHET for metric, _ in self.rows)
        features, resize = (test.mark, test.network.resize) if by_features else ("none", "none")
        return Provenance(features, n_real, n_fake, resize, test.split, test.seed)

    @property
    def _counts(self) -> tuple[int, int]:
        """The numbers of real and of fake examples."""
        compared = self.rows[-1][1]
        return min(c.n_real for c in compared), min(c.n_fake for c in compared)


def plan_metrics(test: GeneratorUnderTest, live: bool = False) -> MetricPlan:
    """Choose the metrics that apply to the generator; `live`: only those that are measured while training."""
    return MetricPlan(test, comparisons(test), live)
