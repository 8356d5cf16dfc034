"""The generator that is evaluated, its examples, the real ones, and the networks that compare them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from data.batches import as_bytes, scaled
from data.readers.builtin import Data, DatasetMissing, Split
from models.errors import JobFailure
from models.games.paired import Question
from models.latent import cycling_labels, draw_latent
from models.nets.autoencoder import Autoencoder
from models.rng import Rng, Stream
from models.spec.recipe import Recipe
from worker.evaluation.chunked import MADE, in_parts, part_of, shares, spread
from worker.evaluation.inception import read_inception
from worker.evaluation.judge import BATCH, FULL, QUICK, learned
from worker.evaluation.stacked_mnist_judge import learned_triples

EPOCHS = 30
"""that a judge learns at most, of BATCH examples a step"""

Features = Literal["own", "inception"]


class CannotMeasure(JobFailure):
    """Nothing can be said of this generator, or not what was asked. The message says why."""

    code = "cannot_measure"


class Eyes(Protocol):
    """A feature network; see worker.evaluation.judge.Judge."""

    mark: str
    resize: str
    classes: int

    def seen(self, x: Tensor) -> tuple[Tensor, Tensor | None]: ...


class Seen:
    """Pictures uint8 [n, c, s, s] with their labels [n], looked at once by the judge and by the feature network."""

    def __init__(self, pictures: Tensor, labels: Tensor | None, exam: "Exam") -> None:
        self.pictures, self.labels, self._exam = pictures, labels, exam

    @cached_property
    def judged(self) -> tuple[Tensor, Tensor | None]:
        return self._exam.look(self._exam.judge, self.pictures)

    @cached_property
    def compared(self) -> tuple[Tensor, Tensor | None]:
        exam = self._exam
        return self.judged if exam.network is exam.judge else exam.look(exam.network, self.pictures)

    @property
    def features(self) -> Tensor:
        """[n, d]"""
        return self.compared[0]

    @property
    def logits(self) -> Tensor:
        """[n, classes], by the judge"""
        return present(self.judged[1])

    @cached_property
    def said(self) -> Tensor:
        """[n], the classes that the judge reads"""
        return self.logits.argmax(dim=1)


@dataclass(frozen=True, eq=False)
class Exam:
    """Whom to measure, with what; data and networks are had when they are first needed."""

    recipe: Recipe
    generator: nn.Module
    load: Callable[[Split], Data]
    n: int
    wish: Features
    seed: int
    cache: Path
    weights: Path | None
    beat: Callable[[], None]

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
        return self.load(split).centred(self.recipe.shape[-1])

    @cached_property
    def judge(self) -> Eyes:
        return self.taught(self.train, self.cache)

    @cached_property
    def network(self) -> Eyes:
        """What pictures are compared by."""
        return self.judge if self.wish == "own" else read_inception(self.weights)

    @property
    def mark(self) -> str:
        """Of the judge, which is always asked for classes, and of Inception where that is what compares."""
        own = f"own:{self.judge.mark}"
        return own if self.network is self.judge else f"inception:{self.network.mark} {own}"

    def taught(self, data: Data, cache: Path) -> Eyes:
        """A judge that learned these pictures."""
        pile = present(data.a if data.images is None else data.images)
        steps = min(FULL, max(QUICK, EPOCHS * len(pile) // BATCH))
        stacked = self.recipe.data.dataset == "stacked_mnist" and pile.shape[1] == 3 and data.labels is not None
        return (learned_triples if stacked else learned)(data, cache, steps, self.beat)

    def look(self, network: Eyes, pile: Tensor) -> tuple[Tensor, Tensor | None]:
        """What a network sees in pictures uint8 [n, c, s, s], part by part."""
        features, logits = zip(*(self._glance(network, part) for part in shares(pile)), strict=True)
        return torch.cat(features), None if logits[0] is None else torch.cat(logits)

    def _glance(self, network: Eyes, part: Tensor) -> tuple[Tensor, Tensor | None]:
        self.beat()
        return network.seen(scaled(part))

    def stream(self, name: str) -> Stream:
        return Rng(self.seed).stream(f"evaluate/{name}")

    def real(self) -> Seen:
        """n pictures of the reference at most, evenly spread over it."""
        rows = spread(len(present(self.reference.images)), self.n)
        labels = self.reference.labels
        return Seen(present(self.reference.images)[rows], None if labels is None else labels[rows], self)

    def piles(self, data: Data) -> tuple[Tensor, Tensor]:
        """Both piles of pictures, uint8 [n, c, s, s]."""
        return present(data.a), present(data.b)

    def drawn(self) -> tuple[Tensor, Tensor | None]:
        """n examples from noise, as they are kept, and the classes that were asked for, each equally often."""
        z = draw_latent(self.recipe.latent, self.stream("noise"), self.n)
        labels = cycling_labels(self.recipe.classes, self.n)

        def make(rows: slice) -> Tensor:
            made: Tensor = self.generator(
                z[rows].to(self.device), None if labels is None else labels[rows].to(self.device)
            )
            return made

        return self.made(make, self.n), labels

    def rebuilt(self, real: Tensor) -> Tensor:
        """What comes out for examples [n, ...]; a Gaussian code counts as its mean."""
        generator, size = self.generator, self.recipe.latent.size
        assert isinstance(generator, Autoencoder)
        return self.made(lambda rows: generator(generator.encode(self.given(real[rows]))[:, :size]), len(real))

    def answers(self, question: Question) -> Tensor:
        """Of the paired game's generator."""
        hole = None if question.hole is None else question.hole.to(self.device)
        there = Question(question.given.to(self.device), question.answer.to(self.device), hole)
        return there.answered_by(self.generator)

    def given(self, x: Tensor) -> Tensor:
        return scaled(x).to(self.device)

    @torch.no_grad()
    def made(self, make: Callable[[slice], Tensor], n: int) -> Tensor:
        """What `make` gives for n rows, part by part: pictures as uint8, as they are served. Raises CannotMeasure."""
        parts = []
        for part in in_parts(make, n, part_of((n, *self.recipe.shape), MADE), self.beat):
            if not part.isfinite().all():
                raise CannotMeasure("The generator makes numbers that are not finite, so that nothing can be measured.")
            parts.append(as_bytes(part) if part.dim() == 4 else part)
        return torch.cat(parts)

    @cached_property
    def device(self) -> torch.device:
        return next(self.generator.parameters()).device


def present(value: Tensor | None) -> Tensor:
    """What a dataset of this kind has."""
    assert value is not None
    return value
