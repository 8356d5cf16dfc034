"""Live metrics while training: the same latents and examples each time, at a bounded cost.

Figures that stand alone, of more examples and with more patience, are worker.evaluation.full's.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from data.batches import Batches, scaled
from data.toy import MIXTURES, VALID
from models.games.paired import ask
from models.latent import cycling_labels, draw_latent
from models.nets.autoencoder import Autoencoder
from models.rng import Rng
from models.spec.games import Paired
from models.spec.recipe import Recipe
from worker.evaluation.chunked import MADE, in_parts, part_of, shares, small, some
from worker.evaluation.full import Provenance
from worker.evaluation.judge import Judge
from worker.evaluation.metrics.classes import agreement, class_modes, pairwise_diversity, relative
from worker.evaluation.metrics.distances import frechet
from worker.evaluation.metrics.mixtures import divergence, modes
from worker.evaluation.metrics.neighbours import apart, copies, density_coverage, precision_recall, variety
from worker.evaluation.metrics.pictures import psnr

Figures = dict[str, float]

REFERENCE = 2_048
"""real examples whose features made ones are compared with"""
FEWEST = 8
"""examples on either side with which something can be said of features"""
FEWEST_TRANSLATED = 256
"""pictures that each pile needs before translations are compared: twice the number of a judge's features. A judge that
learned from fewer ranked blurred translations above sharp ones (docs/photographs.md)
"""
COPYISTS, ORIGINALS = 64, 8_000
"""made pictures that are looked for among so many training pictures; who learns many more by heart is not seen here"""
POINTS = 2_500
"""drawn to count modes, as the papers do"""
COLLAPSE = {"diversity", "variety"}
"""figures that need no comparison of the two piles"""
SEED = 0
"""of the latents: the same for every job, so that figures of different seeds can be compared"""


def needs_judge(recipe: Recipe) -> bool:
    """Whether pictures are compared by features."""
    return recipe.game.kind == "unpaired" or (recipe.game.kind == "synthesis" and recipe.data.kind == "images")


@dataclass(frozen=True, eq=False)
class Looks:
    """What is kept of pictures that were made: the judge's features and logits, and small copies as rows."""

    features: Tensor
    logits: Tensor
    small: Tensor


class Average(Protocol):
    """The averaged weights."""

    @property
    def network(self) -> nn.Module: ...


class Training(Protocol):
    """The parts of a trainer that are looked at; see worker.training.trainer.Trainer."""

    recipe: Recipe
    batches: Batches
    device: torch.device
    step: int

    @property
    def average(self) -> Average: ...

    def not_finite(self, step: int) -> Exception: ...


class Inspector:
    """Looks at one trainer. `judge` is None where no features are needed; `beat` is called all along."""

    def __init__(self, trainer: Training, judge: Judge | None, beat: Callable[[], None] = lambda: None) -> None:
        assert trainer.recipe.watch is not None
        self._trainer, self._recipe, self._batches, self._beat = trainer, trainer.recipe, trainer.batches, beat
        self._n = trainer.recipe.watch.samples
        self._judge = None if judge is None else judge.to(trainer.device)

    @torch.no_grad()
    def look(self) -> Figures:
        """Figures of the averaged generator as it is now, by name; one that cannot be computed is left out.

        Raises NonFinite.
        """
        self._network.eval()
        return {name: value for name, value in self._figures().items() if math.isfinite(value)}

    @cached_property
    def untouched(self) -> float | None:
        """Measure the Fréchet distance between the two piles before translation, the mean of both directions.

        None for games without two piles, and for piles of too few pictures.
        """
        if self._recipe.game.kind != "unpaired" or not self._comparable:
            return None
        there, back = self._features, self._other_features
        made = [seen[: self._of_each(len(seen))] for seen in (there, back)]
        if min(map(len, made)) < FEWEST:
            return None
        return (frechet(back, made[0]) + frechet(there, made[1])) / 2

    @property
    def provenance(self) -> Provenance:
        """Where the figures come from."""
        features = "none" if self._judge is None else f"own:{self._judge.mark}"
        resize = "none" if self._judge is None else self._judge.resize
        on_points = self._recipe.data.kind == "points"  # held against the true mixture, not against examples
        real = 0 if on_points else min(REFERENCE, len(self._batches.real))
        return Provenance(features, real, max(POINTS, self._n) if on_points else self._n, resize, "train", SEED)

    def _figures(self) -> Figures:
        match self._recipe.game.kind, self._recipe.data.kind:
            case "synthesis", "images":
                return self._drawn_pictures()
            case "synthesis", "points":
                return self._points(self._drawn(max(POINTS, self._n)))
            case "synthesis", _:
                return self._strings()
            case "unpaired", _:
                return self._translated()
            case "paired", _:
                return self._answered()
            case _:
                return self._rebuilt()

    @property
    def _network(self) -> nn.Module:
        return self._trainer.average.network

    def _drawn(self, n: int) -> Tensor:
        return self._made(self._draw(n), n)

    def _draw(self, n: int) -> Callable[[slice], Tensor]:
        """What draws rows of n examples."""
        z = draw_latent(self._recipe.latent, Rng(SEED).stream("watch"), n).to(self._trainer.device)
        labels = cycling_labels(self._recipe.classes, n, z.device)
        return lambda rows: self._network(z[rows], None if labels is None else labels[rows])

    def _drawn_pictures(self) -> Figures:
        made = self._looked_at(self._draw(self._n), self._n)
        figures, logits = self._compared(made, self._features, self._small), made.logits
        if len(self._originals) > 1:
            figures["copies"] = copies(self._originals, made.small[:COPYISTS], usual=self._usual)
        assert self._judge is not None
        if self._recipe.classes:
            asked = cycling_labels(self._recipe.classes, self._n)
            assert asked is not None
            figures["agreement"] = agreement(logits.argmax(1), asked)
        elif self._judge.classes:
            captured, figures["kl"] = class_modes(logits.argmax(1), self._judge.classes)
            figures["modes"] = float(captured)
        return figures

    def _compared(self, made: Looks, features: Tensor, pixels: Tensor) -> Figures:
        """Figures of made pictures beside real ones.

        Of real ones `features`, and `pixels` of small copies. Neighbours are looked for among as many real examples as
        made ones: otherwise their balls are of another size.
        """
        seen = made.features
        n = min(len(seen), len(features))
        if n < FEWEST:
            return {}
        real, fake = some(features, n), seen[:n]
        figures = {"frechet": frechet(features, seen)}
        figures["density"], figures["coverage"] = density_coverage(real, fake)
        figures["recall"] = precision_recall(real, fake)[1]
        figures["diversity"] = relative(pairwise_diversity, fake, real)
        figures["variety"] = variety(some(pixels, n), made.small[:n])
        return figures

    def _points(self, points: Tensor) -> Figures:
        mixture = MIXTURES[self._recipe.data.dataset]
        figures = {"divergence": divergence(points, mixture)}
        if mixture.modes.shape[1] == 2:
            captured, figures["high_quality"], figures["reverse_kl"] = modes(points, mixture)
            figures["modes"] = float(captured)
        return figures

    def _strings(self) -> Figures:
        symbols = self._drawn(self._n).argmax(dim=2).numpy()
        figures = {"distinct": len({string.tobytes() for string in symbols}) / len(symbols)}
        if self._recipe.data.dataset in VALID:
            figures["valid"] = float(VALID[self._recipe.data.dataset](symbols).mean())
        return figures

    def _translated(self) -> Figures:
        """The mean over both directions, of as many pictures each."""
        nets, batches = self._network, self._batches
        assert isinstance(nets, nn.ModuleDict)
        assert batches.other is not None
        there = self._direction(nets["a2b"], batches.real, self._other_features, self._other_small)
        back = self._direction(nets["b2a"], batches.other, self._features, self._small)
        return {name: (there[name] + back[name]) / 2 for name in there.keys() & back.keys()}

    def _direction(self, net: nn.Module, source: Tensor, features: Tensor, pixels: Tensor) -> Figures:
        n = self._of_each(len(source))
        figures = self._compared(self._looked_at(lambda rows: net(scaled(source[rows])), n), features, pixels)
        return figures if self._comparable else {name: figures[name] for name in figures.keys() & COLLAPSE}

    @property
    def _comparable(self) -> bool:
        """Whether both piles have enough pictures to train a judge."""
        assert self._batches.other is not None
        return min(len(self._batches.real), len(self._batches.other)) >= FEWEST_TRANSLATED

    def _of_each(self, pictures: int) -> int:
        """Return how many pictures of a pile an evaluation translates."""
        return min(self._n // 2, pictures)

    def _answered(self) -> Figures:
        """Of training pairs, which are the ones at hand."""
        assert isinstance(self._recipe.game, Paired)
        asked = ask(self._recipe.game, self._batches.first(self._n), Rng(SEED).stream("watch"))
        made = self._made(lambda rows: asked.part(rows).answered_by(self._network), len(asked.answer))
        return {"psnr": psnr(made, asked.answer.cpu())}

    def _rebuilt(self) -> Figures:
        generator = self._network
        assert isinstance(generator, Autoencoder)
        real, size = self._batches.first(self._n).real, self._recipe.latent.size
        if self._recipe.data.kind == "points" and self._recipe.draws:
            return self._points(self._drawn(POINTS))
        rebuilt = self._made(lambda rows: generator(generator.encode(real[rows])[:, :size]), len(real))
        return self._points(rebuilt) if self._recipe.data.kind == "points" else {"psnr": psnr(rebuilt, real.cpu())}

    def _looked_at(self, make: Callable[[slice], Tensor], n: int) -> Looks:
        """What the judge sees in n pictures that `make` gives, which are not kept. Raises NonFinite."""
        assert self._judge is not None
        parts, size = [], part_of(self._batches.real.shape)
        for start in range(0, n, size):
            made = self._made(_from(start, make), min(size, n - start))
            parts.append((*self._judge.seen(made), small(made)))
            self._beat()
        return Looks(*map(torch.cat, zip(*parts, strict=True)))

    def _made(self, make: Callable[[slice], Tensor], n: int) -> Tensor:
        """What `make` gives for all n, on the CPU in fp32, a part at a time. Raises NonFinite."""
        size = part_of(self._batches.real.shape, MADE)
        made = torch.cat(list(in_parts(make, n, size, self._beat)))
        if not bool(made.isfinite().all()):
            raise self._trainer.not_finite(self._trainer.step)
        return made

    @cached_property
    def _features(self) -> Tensor:
        """Of real pictures, spread over the dataset."""
        return self._seen(self._batches.real)

    @cached_property
    def _small(self) -> Tensor:
        return small(self._batches.real, REFERENCE, self._beat)

    @cached_property
    def _other_features(self) -> Tensor:
        """Of the second pile."""
        assert self._batches.other is not None
        return self._seen(self._batches.other)

    @cached_property
    def _other_small(self) -> Tensor:
        assert self._batches.other is not None
        return small(self._batches.other, REFERENCE, self._beat)

    @cached_property
    def _originals(self) -> Tensor:
        """Training pictures to look for copies of."""
        return small(self._batches.real, ORIGINALS, self._beat)

    @cached_property
    def _usual(self) -> float:
        return apart(self._originals)

    def _seen(self, pile: Tensor) -> Tensor:
        assert self._judge is not None
        parts = []
        for part in shares(pile, REFERENCE):
            parts.append(self._judge.features(scaled(part)))
            self._beat()
        return torch.cat(parts)


def _from(start: int, make: Callable[[slice], Tensor]) -> Callable[[slice], Tensor]:
    """The same, with rows counted from `start`."""
    return lambda rows: make(slice(start + rows.start, start + rows.stop))
