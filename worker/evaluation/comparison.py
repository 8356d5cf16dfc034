"""What is compared: for each kind of game and data the examples that are made beside real ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from data.batches import as_bytes, scaled
from data.readers.builtin import Data
from data.toy import MIXTURES, VALID, Mixture
from models.games.game import Batch
from models.games.paired import PairedExamples, paired_examples
from models.spec.games import Paired
from worker.evaluation.chunked import part_of, shares, some, spread
from worker.evaluation.generator_under_test import Examples, GeneratorUnderTest, piles, present
from worker.evaluation.metrics.pictures import BASELINES, Pile

Kind = Literal["drawn", "decoded", "rebuilt", "translated", "answered", "points", "strings"]
"""Pictures from noise; those of an autoencoder; what it rebuilds; two piles; the paired game; and no pictures."""
T = TypeVar("T")
Statistics = Callable[[], tuple[Pile, Pile]]

LEARNED_FROM = 1_000
"""training pictures of either kind that baselines learn from"""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Made examples beside real ones; of two piles one direction."""

    test: GeneratorUnderTest
    kind: Kind
    real: Examples
    make: Callable[[], Examples]
    """makes examples; raises NotFinite"""
    n_made: int
    way: str = ""
    """`a2b` or `b2a` where there are two piles"""
    given: Tensor | None = None
    """pictures uint8 [n, c, s, s] that are translated or completed"""
    wanted: Tensor | None = None
    """the right answers, uint8 [n, c, s, s]; None where they are not known"""
    statistics: Statistics | None = None
    """of training pictures like what is given, and like what is wanted"""
    baseline: str | None = None
    """the name of a baseline that stands in for the generator"""

    @cached_property
    def made(self) -> Examples:
        """Made once, when they are first needed. Raises NotFinite."""
        return self.make()

    @property
    def n_real(self) -> int:
        """Real examples; 0 where a known distribution stands in for them."""
        return 0 if self.test.sizes.real == 0 else len(self.real)

    def part(self, rows: slice) -> Tensor:
        """Made pictures [n, c, s, s] in [-1, 1], or the baseline's."""
        if self.baseline is None:
            return scaled(self.made.rows[rows])
        assert self.statistics is not None
        return BASELINES[self.baseline](scaled(present(self.given)[rows]), *self.statistics())

    def untouched(self) -> "Comparison":
        """What is given in place of what is made."""
        return replace(self, make=lambda: Examples(self.test, present(self.given)))

    @property
    def mixture(self) -> Mixture:
        return MIXTURES[self.test.recipe.data.dataset]

    @cached_property
    def symbols(self) -> Tensor:
        """Strings [n, length], as numbers of symbols."""
        return self.made.rows.argmax(dim=2)

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """Whether each string [n] is allowed, of a dataset in VALID."""
        return VALID[self.test.recipe.data.dataset](self.symbols.numpy())


def comparisons(test: GeneratorUnderTest) -> dict[Kind, list[Comparison]]:
    """What can be compared, by its kind; both directions where there are two piles."""
    game, data = test.recipe.game, test.recipe.data
    match game.kind, data.kind:
        case (("synthesis" | "reconstruction"), "points"):
            return {"points": [_points(test)]}
        case "synthesis", "sequences":
            strings = Examples(test, present(test.reference.sequences), n=test.sizes.real)  # only counted
            return {"strings": [Comparison(test, "strings", strings, test.drawn, test.sizes.made)]}
        case "synthesis", _:
            return {"drawn": [Comparison(test, "drawn", test.real, test.drawn, test.sizes.made)]}
        case "unpaired", _:
            return {"translated": [_translated(test, "a2b"), _translated(test, "b2a")]}
        case "paired", _:
            return {"answered": [_answered(test)]}
        case _:
            return _of_autoencoder(test)


def _points(test: GeneratorUnderTest) -> Comparison:
    """Points from noise, or rebuilt ones where nothing can be drawn."""
    real = present(test.reference.points)[: test.sizes.made]
    if test.recipe.generates:
        return Comparison(test, "points", Examples(test, real), test.drawn, test.sizes.made)
    return Comparison(test, "points", Examples(test, real), lambda: test.rebuilt(real), len(real))


def _translated(test: GeneratorUnderTest, way: str) -> Comparison:
    """One direction between two piles; beside the true counterparts where the reference has them."""
    given, counterparts = (some(pile, test.translated) for pile in _source_first(piles(test.reference), way))
    data = test.recipe.data
    known = data.kind == "paired" or (data.dataset == "day2night" and test.split == "test")
    return Comparison(
        test,
        "translated",
        real=_source_first(test.real_piles, way)[1],
        make=lambda: test.translate(way, given),
        n_made=len(given),
        way=way,
        given=given,
        wanted=counterparts if known else None,
        statistics=_statistics(lambda: [some(pile, LEARNED_FROM) for pile in _source_first(piles(test.train), way)]),
    )


def _source_first(both: tuple[T, T], way: str) -> tuple[T, T]:
    """What is of pile a and of pile b, in the order of a direction."""
    return both if way == "a2b" else (both[1], both[0])


def _answered(test: GeneratorUnderTest) -> Comparison:
    """Answers of the paired game beside the right ones. What is given has the answer's size and channels."""
    answers = [(*_kept(question), test.answer(question)) for question in _questions(test, test.reference, "")]
    given, wanted, made = map(torch.cat, zip(*answers, strict=True))
    learned_from = lambda: map(torch.cat, zip(*map(_kept, _questions(test, test.train, "train")), strict=True))  # noqa: E731
    return Comparison(
        test,
        "answered",
        real=Examples(test, wanted),
        make=lambda: Examples(test, made),
        n_made=len(made),
        given=given,
        wanted=wanted,
        statistics=_statistics(learned_from),
    )


def _questions(test: GeneratorUnderTest, data: Data, name: str) -> Iterator[PairedExamples]:
    """Of examples of the data, evenly spread, part by part; LEARNED_FROM of the training ones at most."""
    game, holes = test.recipe.game, test.stream(f"holes/{name}")
    assert isinstance(game, Paired)
    both = [data.images] if data.images is not None else list(piles(data))
    first = present(both[0])
    for rows in torch.split(spread(len(first), LEARNED_FROM if name else test.sizes.made), part_of(first.shape)):
        real, *other = (scaled(present(pile)[rows]) for pile in both)
        yield paired_examples(game, Batch(real, other=other[0] if other else None), holes)
        test.beat()


def _kept(question: PairedExamples) -> tuple[Tensor, Tensor]:
    """What is given, at the size and with the channels of the answer, and what is wanted, both uint8."""
    answer = question.target
    given = F.interpolate(question.input[:, : answer.shape[1]], size=answer.shape[2:], mode="nearest")
    return as_bytes(given.expand_as(answer)), as_bytes(answer)


def _of_autoencoder(test: GeneratorUnderTest) -> dict[Kind, list[Comparison]]:
    """Rebuilt pictures, and those from noise where it can draw."""
    pictures = some(present(test.reference.images), test.sizes.made)
    real = Examples(test, pictures)
    rebuilt = Comparison(test, "rebuilt", real, lambda: test.rebuilt(pictures), len(pictures), wanted=pictures)
    found: dict[Kind, list[Comparison]] = {"rebuilt": [rebuilt]}
    if test.recipe.generates:
        found["decoded"] = [Comparison(test, "decoded", test.real, test.drawn, test.sizes.made)]
    return found


def _statistics(learned_from: Callable[[], Iterator[Tensor] | list[Tensor]]) -> Statistics:
    @cache
    def of_both() -> tuple[Pile, Pile]:
        source, target = (Pile.of(map(scaled, shares(pile))) for pile in learned_from())
        return source, target

    return of_both
