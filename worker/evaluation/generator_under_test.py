"""The generator under test: its examples, the real ones, and the networks that compare them.

It serves the figures of a training and the full evaluation alike: they differ in their `Sizes` alone.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from data.batches import as_bytes, scaled
from data.readers.base import Beat, no_heartbeat
from data.readers.builtin import Data, DatasetMissing, Split
from models.errors import JobFailure
from models.games.paired import PairedExamples
from models.latent import cycling_labels, draw_latent
from models.nets.autoencoder import Autoencoder
from models.rng import Rng, Stream
from models.spec.recipe import Recipe
from worker.evaluation.chunked import MADE, in_parts, part_of, shares, small, some
from worker.evaluation.inception import read_inception
from worker.evaluation.judge import BATCH, FULL, QUICK, learned
from worker.evaluation.metrics.neighbours import apart
from worker.evaluation.stacked_mnist_judge import learned_triples

EPOCHS = 30
"""that a judge learns at most, of BATCH examples a step"""

Features = Literal["own", "inception"]


class CannotMeasure(JobFailure):
    """Nothing can be said of this generator, or not what was asked. The message says why."""

    code = "cannot_measure"


class NotFinite(CannotMeasure):
    """The generator makes numbers that are not finite."""

    def __init__(self) -> None:
        super().__init__("The generator makes numbers that are not finite, so that nothing can be measured.")


class FeatureNetwork(Protocol):
    """Compares pictures; see worker.evaluation.judge.Judge."""

    mark: str
    resize: str
    classes: int

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor | None]: ...


@dataclass(frozen=True)
class Sizes:
    """How many examples an evaluation makes and compares, and how long its judge learns."""

    made: int
    """examples made; of two piles, in either direction"""
    real: int | None = None
    """real examples that are compared, at most; None: as many as are made"""
    suspects: int = 1_000
    """made pictures that are searched for copies, at most"""
    originals: int | None = None
    """training pictures that they may be copies of, at most; None: all"""
    fewest: int = 16
    """examples that either side needs to be compared as a distribution"""
    quick: bool = False
    """whether the judge learns for QUICK steps whatever the size of the dataset"""


class Examples:
    """Up to n examples of a pile [N, ...], evenly spread, with their labels. Each network looks at them once."""

    def __init__(
        self, test: "GeneratorUnderTest", pile: Tensor, labels: Tensor | None = None, n: int | None = None
    ) -> None:
        """`pile` holds pictures as uint8 [N, c, s, s], points, or strings."""
        self._test, self._pile = test, pile
        self._n = len(pile) if n is None else min(n, len(pile))
        self.labels = None if labels is None else some(labels, self._n)

    def __len__(self) -> int:
        return self._n

    @cached_property
    def rows(self) -> Tensor:
        """[n, ...]: the examples as they are kept."""
        return some(self._pile, self._n)

    @cached_property
    def judged(self) -> tuple[Tensor, Tensor | None]:
        """Features [n, d] and logits [n, classes], by the judge."""
        return self._test.embed(self._test.judge, self._parts())

    @cached_property
    def compared(self) -> tuple[Tensor, Tensor | None]:
        """Features [n, d] and logits [n, classes], by the network that compares."""
        test = self._test
        return self.judged if test.network is test.judge else test.embed(test.network, self._parts())

    @property
    def features(self) -> Tensor:
        """[n, d]"""
        return self.compared[0]

    @property
    def logits(self) -> Tensor:
        """[n, classes], by the judge."""
        return present(self.judged[1])

    @cached_property
    def classes(self) -> Tensor:
        """[n]: the classes that the judge reads."""
        return self.logits.argmax(dim=1)

    @cached_property
    def pixels(self) -> Tensor:
        """[n, d]: the pictures at 16 px a side."""
        return small(self._pile, self._n, self._test.beat)

    def _parts(self) -> Iterator[Tensor]:
        return shares(self._pile, self._n)


@dataclass(frozen=True, eq=False)
class GeneratorUnderTest:
    """A generator in eval mode, and what it is measured with; data and networks are read when they are first needed.

    What is real is read once. What is made is made anew whenever it is asked for, from the same noise.
    """

    recipe: Recipe
    generator: nn.Module
    load: Callable[[Split], Data]
    """raises DatasetMissing for a split that is not there"""
    sizes: Sizes
    judges: Path | None
    """the folder that keeps judges"""
    wanted: Features = "own"
    seed: int = 0
    weights: Path | None = None
    """the folder that may hold Inception"""
    beat: Beat = no_heartbeat
    """called after each part of the work; what it raises ends the evaluation"""

    @cached_property
    def train(self) -> Data:
        return self._loaded("train")

    @cached_property
    def reference(self) -> Data:
        """The test split, or the training one where there is none."""
        return self._chosen[0]

    @property
    def split(self) -> Split:
        return self._chosen[1]

    @cached_property
    def _chosen(self) -> tuple[Data, Split]:
        try:
            return self._loaded("test"), "test"
        except DatasetMissing:
            return self.train, "train"

    def _loaded(self, split: Split) -> Data:
        """The middle of what training cuts crops from."""
        return self.load(split).centre_crop(self.recipe.shape[-1])

    @cached_property
    def judge(self) -> FeatureNetwork:
        return self.taught(self.train, self.judges)

    @cached_property
    def network(self) -> FeatureNetwork:
        """What compares pictures."""
        return self.judge if self.wanted == "own" else read_inception(self.weights)

    @property
    def mark(self) -> str:
        """Of the judge, which always reads the classes, and of Inception where that is what compares."""
        own = f"own:{self.judge.mark}"
        return own if self.network is self.judge else f"inception:{self.network.mark} {own}"

    def taught(self, data: Data, judges: Path | None) -> FeatureNetwork:
        """A judge that learned these pictures, on the generator's device."""
        pile = present(data.a if data.images is None else data.images)
        steps = QUICK if self.sizes.quick else min(FULL, max(QUICK, EPOCHS * len(pile) // BATCH))
        stacked = self.recipe.data.dataset == "stacked_mnist" and pile.shape[1] == 3 and data.labels is not None
        return (learned_triples if stacked else learned)(data, judges, steps, self.beat).to(self.device)

    def student(self, made: Examples) -> FeatureNetwork:
        """A judge that learned made pictures alone, and the classes that they were asked for."""
        with TemporaryDirectory() as nowhere:
            return self.taught(Data(images=made.rows, labels=made.labels), Path(nowhere))

    def embed(self, network: FeatureNetwork, parts: Iterable[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Features [n, d] and logits [n, classes] of pictures that come part by part."""
        embedded = []
        for part in parts:
            self.beat()
            embedded.append(network.embed(scaled(part)))
        features, logits = zip(*embedded, strict=True)
        return torch.cat(features), None if logits[0] is None else torch.cat(logits)

    def stream(self, name: str) -> Stream:
        return Rng(self.seed).stream(f"evaluate/{name}")

    @cached_property
    def real(self) -> Examples:
        """Pictures of the reference."""
        return Examples(self, present(self.reference.images), self.reference.labels, self.sizes.real or self.sizes.made)

    @cached_property
    def real_piles(self) -> tuple[Examples, Examples]:
        """Pictures of both piles of the reference."""
        a, b = (Examples(self, pile, n=self.sizes.real or self.translated) for pile in piles(self.reference))
        return a, b

    @property
    def translated(self) -> int:
        """Pictures that are translated in either direction."""
        return min(self.sizes.made, *map(len, piles(self.reference)))

    @cached_property
    def originals(self) -> Tensor:
        """Training pictures to search for copies of, at 16 px a side, as rows [n, d]."""
        return small(present(self.train.images), self.sizes.originals, self.beat)

    @cached_property
    def originals_apart(self) -> float:
        """The median distance of an original to its nearest other."""
        return apart(self.originals)

    def drawn(self) -> Examples:
        """Examples from noise, with the classes that were asked for, each equally often. Raises NotFinite."""
        n = self.sizes.made
        z = draw_latent(self.recipe.latent, self.stream("noise"), n)
        labels = cycling_labels(self.recipe.classes, n)

        def make(rows: slice) -> Tensor:
            label = None if labels is None else labels[rows].to(self.device)
            made: Tensor = self.generator(z[rows].to(self.device), label)
            return made

        return Examples(self, self.made(make, n), labels)

    def rebuilt(self, real: Tensor) -> Examples:
        """What comes out for examples [n, ...]; a Gaussian code counts as its mean. Raises NotFinite."""
        generator, size = self.generator, self.recipe.latent.size
        assert isinstance(generator, Autoencoder)
        make = lambda rows: generator(generator.encode(self.given(real[rows]))[:, :size])  # noqa: E731
        return Examples(self, self.made(make, len(real)))

    def translate(self, way: str, pictures: Tensor) -> Examples:
        """Pictures [n, c, s, s] translated `a2b` or `b2a`. Raises NotFinite."""
        assert isinstance(self.generator, nn.ModuleDict)
        net = self.generator[way]
        return Examples(self, self.made(lambda rows: net(self.given(pictures[rows])), len(pictures)))

    def answer(self, question: PairedExamples) -> Tensor:
        """The answers of the paired game's generator, uint8 [n, c, h, w]. Raises NotFinite."""
        return self.made(lambda rows: self._moved(question.part(rows)).output_of(self.generator), len(question.target))

    def _moved(self, question: PairedExamples) -> PairedExamples:
        hole = None if question.hole is None else question.hole.to(self.device)
        return PairedExamples(question.input.to(self.device), question.target.to(self.device), hole)

    def given(self, x: Tensor) -> Tensor:
        return scaled(x).to(self.device)

    @torch.no_grad()
    def made(self, make: Callable[[slice], Tensor], n: int) -> Tensor:
        """What `make` gives for n rows, part by part: pictures as uint8, as they are served. Raises NotFinite."""
        parts = []
        for part in in_parts(make, n, part_of((n, *self.recipe.shape), MADE), self.beat):
            if not part.isfinite().all():
                raise NotFinite
            parts.append(as_bytes(part) if part.dim() == 4 else part)
        return torch.cat(parts)

    @cached_property
    def device(self) -> torch.device:
        return next(self.generator.parameters()).device


def piles(data: Data) -> tuple[Tensor, Tensor]:
    """Both piles of pictures, uint8 [n, c, s, s]."""
    return present(data.a), present(data.b)


def present(value: Tensor | None) -> Tensor:
    """What a dataset of this kind has."""
    assert value is not None
    return value
