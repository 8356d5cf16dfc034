"""Set generated examples beside the real ones with which metrics compare them, for each kind of game and data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from data.batches import as_levels, scaled
from data.readers.builtin import Data
from data.toy import MIXTURES, VALID, Mixture
from models.games.game import Batch
from models.games.paired import PairedExamples, paired_examples
from models.spec.games import Paired
from worker.evaluation.chunked import chunk_size, chunks, even_indices, evenly_spaced
from worker.evaluation.generator_under_test import Examples, GeneratorUnderTest, domains, not_none
from worker.evaluation.metrics.pictures import BASELINES, PictureStatistics

ComparisonKind = Literal["sampled", "decoded", "reconstructed", "translated", "paired", "points", "strings"]
"""sampled: pictures from noise; decoded: pictures from noise by an autoencoder; reconstructed: its reconstructions of
pictures; translated: from one domain to another; paired: outputs of the paired game; points and strings: no pictures"""
T = TypeVar("T")
DomainStatistics = Callable[[], tuple[PictureStatistics, PictureStatistics]]

BASELINE_PICTURES = 1_000
"""training pictures of each domain from which baselines are computed"""


@dataclass(frozen=True, eq=False)
class ExampleComparison:
    """Generated examples beside real ones; for two domains, in one direction."""

    test: GeneratorUnderTest
    kind: ComparisonKind
    real: Examples
    generate: Callable[[], Examples]
    """samples the generator; raises NotFinite"""
    n_generated: int
    direction: str = ""
    """`a2b` or `b2a` for two domains, else empty"""
    inputs: Tensor | None = None
    """pictures uint8 [n, c, s, s] that are translated or completed"""
    targets: Tensor | None = None
    """the true outputs, uint8 [n, c, s, s]; None if they are not known"""
    statistics: DomainStatistics | None = None
    """returns the statistics of training pictures of the source and of the target"""
    baseline: str | None = None
    """name of the baseline that replaces the generator, if any"""

    @cached_property
    def generated(self) -> Examples:
        """The generated examples; the generator runs when they are first needed. Raises NotFinite."""
        return self.generate()

    @property
    def n_real(self) -> int:
        """Number of real examples; 0 if a known distribution replaces them."""
        return 0 if self.test.sizes.real == 0 else len(self.real)

    def outputs(self, rows: slice) -> Tensor:
        """Return these rows of the outputs [n, c, s, s] in [-1, 1]: the baseline's if there is one."""
        if self.baseline is None:
            return scaled(self.generated.rows[rows])
        assert self.statistics is not None
        return BASELINES[self.baseline](scaled(not_none(self.inputs)[rows]), *self.statistics())

    def of_inputs(self) -> "ExampleComparison":
        """Return the comparison with the untranslated inputs in place of the outputs."""
        return replace(self, generate=lambda: Examples(self.test, not_none(self.inputs)))

    @property
    def mixture(self) -> Mixture:
        return MIXTURES[self.test.recipe.data.dataset]

    @cached_property
    def symbols(self) -> Tensor:
        """The generated strings, as symbol numbers [n, length]."""
        return self.generated.rows.argmax(dim=2)

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Whether each generated string is valid [n]; for datasets in VALID."""
        return VALID[self.test.recipe.data.dataset](self.symbols.numpy())


def comparisons(test: GeneratorUnderTest) -> dict[ComparisonKind, list[ExampleComparison]]:
    """Return the comparisons of a generator by kind: one each, or both directions for two domains."""
    game, data = test.recipe.game, test.recipe.data
    match game.kind, data.kind:
        case (("synthesis" | "reconstruction"), "points"):
            return {"points": [_points(test)]}
        case "synthesis", "sequences":
            strings = Examples(test, not_none(test.reference.sequences), n=test.sizes.real)  # only their number is used
            return {"strings": [ExampleComparison(test, "strings", strings, test.sample, test.sizes.generated)]}
        case "synthesis", _:
            return {"sampled": [ExampleComparison(test, "sampled", test.real, test.sample, test.sizes.generated)]}
        case "unpaired", _:
            return {"translated": [_translated(test, "a2b"), _translated(test, "b2a")]}
        case "paired", _:
            return {"paired": [_paired(test)]}
        case _:
            return _autoencoder(test)


def _points(test: GeneratorUnderTest) -> ExampleComparison:
    """Compare points sampled from noise, or reconstructed points if the model cannot sample."""
    real = not_none(test.reference.points)[: test.sizes.generated]
    if test.recipe.generates:
        return ExampleComparison(test, "points", Examples(test, real), test.sample, test.sizes.generated)
    return ExampleComparison(test, "points", Examples(test, real), lambda: test.reconstruct(real), len(real))


def _translated(test: GeneratorUnderTest, direction: str) -> ExampleComparison:
    """Compare one direction of translation; with targets if the true counterparts of the inputs are known."""
    inputs, counterparts = (
        evenly_spaced(domain, test.n_translated) for domain in _source_first(domains(test.reference), direction)
    )
    data = test.recipe.data
    has_targets = data.kind == "paired" or (data.dataset == "day2night" and test.split == "test")

    def training_pictures() -> list[Tensor]:
        return [evenly_spaced(domain, BASELINE_PICTURES) for domain in _source_first(domains(test.train), direction)]

    return ExampleComparison(
        test,
        "translated",
        real=_source_first(test.real_domains, direction)[1],
        generate=lambda: test.translate(direction, inputs),
        n_generated=len(inputs),
        direction=direction,
        inputs=inputs,
        targets=counterparts if has_targets else None,
        statistics=_cached_statistics(training_pictures),
    )


def _source_first(both: tuple[T, T], direction: str) -> tuple[T, T]:
    """Return (source, target) of a direction from what belongs to domains (a, b)."""
    return both if direction == "a2b" else (both[1], both[0])


def _paired(test: GeneratorUnderTest) -> ExampleComparison:
    """Compare outputs of the paired game with their targets. Inputs get the size and the channels of the targets."""
    triples = [
        (*_input_and_target(examples, test.recipe.bits), test.translate_pairs(examples))
        for examples in _paired_examples(test, test.reference, "")
    ]
    inputs, targets, outputs = map(torch.cat, zip(*triples, strict=True))

    def training_pictures() -> Iterator[Tensor]:
        pairs = (
            _input_and_target(examples, test.recipe.bits) for examples in _paired_examples(test, test.train, "train")
        )
        return map(torch.cat, zip(*pairs, strict=True))

    return ExampleComparison(
        test,
        "paired",
        real=Examples(test, targets),
        generate=lambda: Examples(test, outputs),
        n_generated=len(outputs),
        inputs=inputs,
        targets=targets,
        statistics=_cached_statistics(training_pictures),
    )


def _paired_examples(test: GeneratorUnderTest, data: Data, name: str) -> Iterator[PairedExamples]:
    """Yield evenly spaced inputs and targets of the data in chunks.

    `name` is that of the random stream of the holes. The reference has the empty name; training data have another, and
    at most BASELINE_PICTURES of them are used.
    """
    game, holes = test.recipe.game, test.stream(f"holes/{name}")
    assert isinstance(game, Paired)
    both = [data.images] if data.images is not None else list(domains(data))
    first = not_none(both[0])
    indices = even_indices(len(first), BASELINE_PICTURES if name else test.sizes.generated)
    for rows in torch.split(indices, chunk_size(first.shape)):
        real, *other = (scaled(not_none(domain)[rows]) for domain in both)
        yield paired_examples(game, Batch(real, other=other[0] if other else None), holes)
        test.heartbeat()


def _input_and_target(examples: PairedExamples, bits: int) -> tuple[Tensor, Tensor]:
    """Return the input, at the size and with the channels of the target, and the target, as levels."""
    target = examples.target
    resized = F.interpolate(examples.input[:, : target.shape[1]], size=target.shape[2:], mode="nearest")
    return as_levels(resized.expand_as(target), bits), as_levels(target, bits)


def _autoencoder(test: GeneratorUnderTest) -> dict[ComparisonKind, list[ExampleComparison]]:
    """Compare reconstructed pictures, and pictures from noise if the autoencoder can sample them."""
    pictures = evenly_spaced(not_none(test.reference.images), test.sizes.generated)
    real = Examples(test, pictures)
    reconstructed = ExampleComparison(
        test, "reconstructed", real, lambda: test.reconstruct(pictures), len(pictures), targets=pictures
    )
    by_kind: dict[ComparisonKind, list[ExampleComparison]] = {"reconstructed": [reconstructed]}
    if test.recipe.generates:
        by_kind["decoded"] = [ExampleComparison(test, "decoded", test.real, test.sample, test.sizes.generated)]
    return by_kind


def _cached_statistics(training_pictures: Callable[[], Iterator[Tensor] | list[Tensor]]) -> DomainStatistics:
    """Return a function that computes the statistics of source and target pictures at its first call only."""

    @cache
    def statistics() -> tuple[PictureStatistics, PictureStatistics]:
        source, target = (PictureStatistics.of(map(scaled, chunks(pictures))) for pictures in training_pictures())
        return source, target

    return statistics
