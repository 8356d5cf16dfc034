"""The table of metrics: how each is computed, what it applies to, and whether it is measured while training.

A figure is looked up here for both. docs/figures.md says what each means, models/spec/watch.py whose it is.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from data.batches import scaled
from data.readers.builtin import Split
from data.toy import VALID
from worker.evaluation.chunked import part_of, shares, small, some
from worker.evaluation.comparison import Comparison, Kind, comparisons
from worker.evaluation.generator_under_test import GeneratorUnderTest, present
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

PAIRED = 10_000
"""examples of either side at most where each is compared with each"""
TRANSPORTED, BLURRED = 2_500, 500
"""points at most for the exact transport and for Sinkhorn's"""

Figures = dict[str, float]
Values = float | tuple[float, ...]
Kinds = frozenset[Kind]


@dataclass(frozen=True)
class Metric:
    """One row of the table: a function that computes one figure, or several that come at once."""

    names: tuple[str, ...]
    compute: Callable[[Comparison], Values]
    full: Kinds = frozenset()
    """what the full evaluation measures by it"""
    live: Kinds = frozenset()
    """what is measured by it while training: it costs no more than some steps"""
    when: Callable[[Comparison], bool] = lambda comparison: True
    """whether it applies to the dataset at hand"""
    single: bool = False
    """whether it looks at each example by itself, so that one is enough"""

    def of(self, compared: list[Comparison]) -> Figures:
        """The figures by name; of two directions those of each, and their mean under the plain name."""
        computed = [values if isinstance(values := self.compute(c), tuple) else (values,) for c in compared]
        if len(computed) == 1:
            return dict(zip(self.names, computed[0], strict=True))
        found: Figures = {}
        for name, each in zip(self.names, zip(*computed, strict=True), strict=True):
            found |= {f"{name}_{c.way}": value for c, value in zip(compared, each, strict=True)}
            found[name] = sum(each) / len(each)
        return found

    def figures(self, compared: list[Comparison]) -> list[str]:
        """The names of what `of` gives."""
        ways = [f"_{c.way}" for c in compared if c.way]
        return [f"{name}{way}" for name in self.names for way in (*ways, "")]


DRAWN: Kinds = frozenset({"drawn", "decoded"})
COMPARED: Kinds = frozenset({"drawn", "decoded", "translated", "answered"})
ANSWERED: Kinds = frozenset({"translated", "answered", "rebuilt"})
POINTS: Kinds = frozenset({"points"})
STRINGS: Kinds = frozenset({"strings"})
LIVE_DRAWN: Kinds = frozenset({"drawn"})
LIVE_COMPARED: Kinds = frozenset({"drawn", "translated"})
LIVE_ANSWERED: Kinds = frozenset({"answered", "rebuilt"})


def _each_with_each(figure: Callable[[Tensor, Tensor], Values]) -> Callable[[Comparison], Values]:
    """Of features. As many real ones as made: balls of neighbours would be of another size otherwise."""
    return lambda c: figure(*_evenly(c.real.features, c.made.features))


def _evenly(real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    return some(real, min(PAIRED, len(made))), some(made, PAIRED)


def _variety(real: Tensor, made: Tensor) -> float:
    equal = min(len(real), len(made))
    return variety(some(real, equal), some(made, equal))


def _diversity(real: Tensor, made: Tensor) -> float:
    return relative(pairwise_diversity, (made,), (real,))


def _copies(c: Comparison) -> float:
    test = c.test
    return copies(test.originals, small(c.made.rows[: test.sizes.suspects]), usual=test.originals_apart)


def _agreement(c: Comparison) -> float:
    return agreement(c.made.classes, present(c.made.labels))


def _gan_train(c: Comparison) -> float:
    """Accuracy on real pictures of a judge that learned from made ones alone."""
    logits = present(c.test.embed(c.test.student(c.made), shares(c.real.rows))[1])
    return agreement(logits.argmax(dim=1), present(c.real.labels))


def _by_class(figure: Callable[[Tensor, Tensor], float], c: Comparison, made: Tensor, real: Tensor) -> float:
    """A figure of examples and their labels, made over real."""
    asked, labels = present(c.made.labels), present(c.real.labels)
    return relative(figure, (some(made, PAIRED), some(asked, PAIRED)), (some(real, PAIRED), some(labels, PAIRED)))


def _closeness(figure: Callable[[Tensor, Tensor], float]) -> Callable[[Comparison], float]:
    """The mean over pictures, part by part, of how near they come to the right answers."""

    def compute(c: Comparison) -> float:
        wanted = present(c.wanted)
        total, size = 0.0, part_of(wanted.shape)
        for start in range(0, len(wanted), size):
            rows = slice(start, start + size)
            total += figure(c.part(rows), scaled(wanted[rows])) * len(wanted[rows])
            c.test.beat()
        return total / len(wanted)

    return compute


def _labelled(c: Comparison) -> bool:
    return c.real.labels is not None


def _conditional(c: Comparison) -> bool:
    """Whether classes are asked for."""
    return _labelled(c) and c.test.recipe.classes > 0


def _two_of_each(c: Comparison) -> bool:
    return _conditional(c) and min(c.n_made, len(c.real)) >= 2 * c.test.recipe.classes


FRECHET = Metric(("frechet",), lambda c: frechet(c.real.features, c.made.features), COMPARED, LIVE_COMPARED)
CLOSENESS = (
    Metric(("psnr",), _closeness(psnr), ANSWERED, LIVE_ANSWERED, lambda c: c.wanted is not None, single=True),
    Metric(("ssim",), _closeness(ssim), ANSWERED, when=lambda c: c.wanted is not None, single=True),
)
METRICS = (
    FRECHET,
    Metric(("kid",), _each_with_each(kid), COMPARED),
    Metric(("precision",), _each_with_each(precision), DRAWN),
    Metric(("recall",), _each_with_each(recall), DRAWN, LIVE_COMPARED),
    Metric(("density", "coverage"), _each_with_each(density_coverage), DRAWN, LIVE_COMPARED),
    Metric(("diversity",), _each_with_each(_diversity), DRAWN, LIVE_COMPARED),
    Metric(("variety",), _each_with_each(_variety), DRAWN),
    Metric(("pixel_variety",), lambda c: _variety(*_evenly(c.real.pixels, c.made.pixels)), live=LIVE_COMPARED),
    Metric(("copies",), _copies, DRAWN, LIVE_DRAWN),
    Metric(
        ("inception_score",), lambda c: inception_score(present(c.made.compared[1])), DRAWN,
        when=lambda c: c.test.wanted == "inception" and c.test.network.classes > 0, single=True,
    ),
    Metric(("classifier_score",), lambda c: inception_score(c.made.logits), DRAWN, when=_labelled, single=True),
    Metric(
        ("modes", "kl"), lambda c: class_modes(c.made.classes, c.test.judge.classes), DRAWN, LIVE_DRAWN,
        when=lambda c: _labelled(c) and not _conditional(c), single=True,
    ),
    Metric(("agreement",), _agreement, DRAWN, LIVE_DRAWN, _conditional, single=True),
    Metric(("gan_test",), _agreement, DRAWN, when=_conditional, single=True),
    Metric(("gan_train",), _gan_train, DRAWN, when=_conditional),
    Metric(
        ("spread",), lambda c: _by_class(within_class_spread, c, c.made.rows, c.real.rows), DRAWN, when=_two_of_each
    ),
    Metric(
        ("intra_diversity",), lambda c: _by_class(intra_diversity, c, c.made.features, c.real.features), DRAWN,
        when=_two_of_each,
    ),
    *CLOSENESS,
    Metric(("divergence",), lambda c: divergence(c.made.rows, c.mixture), POINTS, POINTS),
    Metric(
        ("sliced_wasserstein",), lambda c: sliced_wasserstein(c.real.rows, c.made.rows, c.test.stream("directions")),
        POINTS,
    ),
    Metric(("sinkhorn",), lambda c: sinkhorn(c.real.rows[:BLURRED], c.made.rows[:BLURRED]), POINTS),
    Metric(("transport",), lambda c: transport(c.real.rows[:TRANSPORTED], c.made.rows[:TRANSPORTED]), POINTS),
    Metric(
        ("modes", "high_quality", "reverse_kl"), lambda c: tuple(modes(c.made.rows, c.mixture)), POINTS, POINTS,
        when=lambda c: c.mixture.modes.shape[1] > 1,  # the modes of a line run into one another
    ),
    Metric(
        ("distinct",), lambda c: len(torch.unique(c.symbols, dim=0)) / len(c.symbols), STRINGS, STRINGS, single=True
    ),
    Metric(
        ("valid",), lambda c: float(c.valid.mean()), STRINGS, STRINGS,
        when=lambda c: c.test.recipe.data.dataset in VALID, single=True,
    ),
)  # fmt: skip
"""in the order in which a report shows them"""


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


@dataclass(frozen=True)
class Plan:
    """The rows of the table that apply to a generator, and what they compare."""

    test: GeneratorUnderTest
    compared: Mapping[Kind, list[Comparison]]
    live: bool = False
    metrics: tuple[Metric, ...] = METRICS

    @cached_property
    def rows(self) -> list[tuple[Metric, list[Comparison]]]:
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
        """Compute the wanted figures. Raises NotFinite."""
        figures: Figures = {}
        for metric, compared in self.rows:
            if set(wanted).intersection(metric.figures(compared)):
                figures |= {name: value for name, value in metric.of(compared).items() if name in wanted}
                self.test.beat()
        return figures

    def too_few(self, wanted: Collection[str]) -> dict[str, str]:
        """Of the wanted figures those that need more examples, with what to do."""
        (n_real, n_made), sizes = self._counts, self.test.sizes
        few = min(n_made, n_real or n_made)
        if few >= sizes.fewest:
            return {}
        remedy = "ask for a larger n" if sizes.made < sizes.fewest else "the dataset has no more: add examples to it"
        needy = {name for metric, compared in self.rows if not metric.single for name in metric.figures(compared)}
        return {
            name: f"'{name}' needs at least {sizes.fewest} examples on either side, and there are {few}; {remedy}."
            for name in sorted(needy.intersection(wanted))
        }

    def by(self, change: Callable[[Comparison], Comparison], *metrics: Metric) -> "Plan":
        """The same by these metrics alone, of changed comparisons."""
        changed = {kind: [change(c) for c in compared] for kind, compared in self.compared.items()}
        return replace(self, compared=changed, metrics=metrics)

    @property
    def provenance(self) -> Provenance:
        test, (n_real, n_made) = self.test, self._counts
        # Whatever a network compares has a Fréchet distance.
        by_features = any(metric is FRECHET for metric, _ in self.rows)
        features, resize = (test.mark, test.network.resize) if by_features else ("none", "none")
        return Provenance(features, n_real, n_made, resize, test.split, test.seed)

    @property
    def _counts(self) -> tuple[int, int]:
        """Real and made examples."""
        compared = self.rows[-1][1]
        return min(c.n_real for c in compared), min(c.n_made for c in compared)


def plan_of(test: GeneratorUnderTest, live: bool = False) -> Plan:
    """Choose the metrics that fit the generator; `live`: those that are measured while training."""
    return Plan(test, comparisons(test), live)
