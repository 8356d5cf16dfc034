"""A few figures while training: always of the same latents and examples, at a cost bounded in steps.

Figures that stand alone, of more examples and with more patience, are worker.training.evaluation's.
"""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn

from models.export import cycling_labels
from models.latent import draw_latent
from models.nets.autoencoder import Autoencoder
from models.paired import ask
from models.rng import Rng
from models.spec.games import Paired
from models.spec.recipe import Recipe
from models.truth import MIXTURES, VALID
from worker.training.batches import scaled
from worker.training.evaluation import Provenance
from worker.training.figures.classes import agreement, class_modes, pairwise_diversity
from worker.training.figures.distances import frechet
from worker.training.figures.mixtures import divergence, modes
from worker.training.figures.neighbours import copies, density_coverage, precision_recall, variety
from worker.training.figures.pictures import psnr
from worker.training.judge import Judge
from worker.training.trainer import Trainer

Figures = dict[str, float]

REFERENCE = 2_048
"""real examples that made ones are compared with"""
NEIGHBOURS = 500
"""of each that are searched for neighbours"""
POINTS = 2_500
"""drawn to count modes, as the papers do"""
SEED = 0
"""of the latents: the same for every job, so that figures of different seeds can be compared"""
PART = 128
"""pictures made together"""


def needs_judge(recipe: Recipe) -> bool:
    """Whether pictures are compared by features."""
    return recipe.game.kind == "unpaired" or (recipe.game.kind == "synthesis" and recipe.data.kind == "images")


class Inspector:
    """Looks at one trainer. `judge` is None where no features are needed."""

    def __init__(self, trainer: Trainer, judge: Judge | None) -> None:
        assert trainer.recipe.watch is not None
        self._trainer, self._recipe, self._batches = trainer, trainer.recipe, trainer.batches
        self._n = trainer.recipe.watch.samples
        self._judge = None if judge is None else judge.to(trainer.device)

    @torch.no_grad()
    def look(self) -> Figures:
        """Figures of the averaged generator as it is now, by name."""
        self._network.eval()
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
    def provenance(self) -> Provenance:
        """Where the figures come from."""
        features = "none" if self._judge is None else f"own:{self._judge.mark}"
        resize = "none" if self._judge is None else self._judge.resize
        on_points = self._recipe.data.kind == "points"  # held against the true mixture, not against examples
        real = 0 if on_points else min(REFERENCE, len(self._batches.real))
        return Provenance(features, real, max(POINTS, self._n) if on_points else self._n, resize, "train", SEED)

    @property
    def _network(self) -> nn.Module:
        return self._trainer.average.network

    def _drawn(self, n: int) -> Tensor:
        z = draw_latent(self._recipe.latent, Rng(SEED).stream("watch"), n).to(self._trainer.device)
        labels = cycling_labels(self._recipe.classes, n, z.device)
        return _in_parts(lambda rows: self._network(z[rows], None if labels is None else labels[rows]), n)

    def _drawn_pictures(self) -> Figures:
        made = self._drawn(self._n)
        figures, logits = self._compared(made, self._real_features)
        figures["copies"] = copies(self._real[:NEIGHBOURS], made[:NEIGHBOURS])
        figures["variety"] = variety(self._real[:NEIGHBOURS][: len(made)], made[:NEIGHBOURS])
        assert self._judge is not None
        if self._recipe.classes:
            asked = cycling_labels(self._recipe.classes, self._n)
            assert asked is not None
            figures["agreement"] = agreement(logits.argmax(1), asked)
        elif self._judge.classes:
            captured, figures["kl"] = class_modes(logits.argmax(1), self._judge.classes)
            figures["modes"] = float(captured)
        return figures

    def _compared(self, made: Tensor, features: Tensor) -> tuple[Figures, Tensor]:
        """Figures of made pictures beside the features of real ones, and the judge's logits of the made ones."""
        assert self._judge is not None
        seen, logits = self._judge.seen(made)
        real, fake = features[:NEIGHBOURS], seen[:NEIGHBOURS]
        figures = {"frechet": frechet(features, seen)}
        figures["density"], figures["coverage"] = density_coverage(real, fake)
        figures["diversity"] = pairwise_diversity(fake) / pairwise_diversity(real)
        figures["recall"] = precision_recall(real, fake)[1]
        return figures, logits

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
        found = [
            self._direction(nets["a2b"], batches.real, self._other_features),
            self._direction(nets["b2a"], batches.other, self._real_features),
        ]
        return {name: (found[0][name] + found[1][name]) / 2 for name in found[0]}

    def _direction(self, net: nn.Module, source: Tensor, features: Tensor) -> Figures:
        n = min(self._n // 2, len(source))
        return self._compared(_in_parts(lambda rows: net(scaled(source[rows])), n), features)[0]

    def _answered(self) -> Figures:
        """Of training pairs, which are the ones at hand."""
        assert isinstance(self._recipe.game, Paired)
        asked = ask(self._recipe.game, self._batches.first(self._n), Rng(SEED).stream("watch"))
        made = _in_parts(lambda rows: asked.part(rows).answered_by(self._network), len(asked.answer))
        return {"psnr": psnr(made, asked.answer.cpu())}

    def _rebuilt(self) -> Figures:
        generator = self._network
        assert isinstance(generator, Autoencoder)
        real = self._batches.first(self._n).real
        code = generator.encode(real)[:, : self._recipe.latent.size]
        rebuilt = _in_parts(lambda rows: generator(code[rows]), len(real))
        if self._recipe.data.kind == "points":
            return self._points(self._drawn(POINTS) if self._recipe.draws else rebuilt)
        return {"psnr": psnr(rebuilt, real.cpu())}

    @cached_property
    def _real(self) -> Tensor:
        """Real pictures [n, c, s, s] in [-1, 1], spread over the dataset."""
        return scaled(_spread(self._batches.real)).cpu()

    @cached_property
    def _real_features(self) -> Tensor:
        return self._features(self._real)

    @cached_property
    def _other_features(self) -> Tensor:
        """Of the second pile."""
        assert self._batches.other is not None
        return self._features(scaled(_spread(self._batches.other)))

    def _features(self, x: Tensor) -> Tensor:
        assert self._judge is not None
        return self._judge.features(x)


def _spread(pile: Tensor) -> Tensor:
    n = len(pile)
    return pile[torch.linspace(0, n - 1, min(n, REFERENCE)).long().to(pile.device)]


def _in_parts(make: Callable[[slice], Tensor], n: int) -> Tensor:
    """What `make` gives for all n, on the CPU in fp32; memory stays that of a part."""
    made = [make(slice(start, min(n, start + PART))).float().cpu() for start in range(0, n, PART)]
    return torch.cat(made)
