"""Take a probe of a training: scores, gradients and samples of both players on fixed latents and examples.

A probe changes nothing that is learned: networks compute in eval mode, gradients are never stored in `.grad`, and
torch's random numbers stay as they were. It depends on the weights and the seed alone, so a resumed training takes the
same probes again. Rank 0 takes it alone, without a collective call.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from data.batches import Batches, as_levels, scaled
from models import distributed
from models.duel import Duel, Scores
from models.games.game import Batch
from models.games.synthesis import unpack
from models.latent import draw_latent
from models.rng import Rng, stream_seed
from models.spec.games import Synthesis
from worker.evaluation.generator_under_test import FeatureNetwork
from worker.training.probe_document import (
    CriticScores,
    Floats,
    Measurements,
    PointMeasurements,
    critic_positions,
    encode,
)
from worker.training.samples import judges_single_examples
from worker.training.trainer import Trainer

PICTURES, POINTS = 32, 128
"""examples of the fixed batch: of pictures and strings at most, of points exactly"""
POINTS_ON_LINE, POINTS_IN_PLANE = 500, 256
"""generated points for shares, and on a line for the density"""
GRID_SIDE, GRID_REACH = 13, 2.0
"""latents on each side of the grid, and where it ends, in units of the prior's scale"""

DrawJson = Callable[[], bytes]
"""returns a probe as JSON, in any thread and at any time"""


@dataclass(frozen=True)
class _Played:
    """The game on the fixed batch: each duel with its scores, and both players' losses without penalties."""

    duels: Sequence[tuple[Duel, Scores]]
    generator_loss: Tensor
    critic_loss: Tensor | None


class Prober:
    """Takes the probes of a training, all on the same latents and examples."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer, self._recipe, self._device = trainer, trainer.recipe, trainer.device
        self._rng = Rng(stream_seed(trainer.recipe.seed, "probe"))

    def take(self, judge: FeatureNetwork | None = None) -> DrawJson:
        """Probe the players as they are now. `judge` counts the classes of generated pictures, if there is one."""
        with distributed.alone(), _untouched(self._trainer, self._rng):
            return partial(encode, self._recipe, self._measure(judge))

    def _measure(self, judge: FeatureNetwork | None) -> Measurements:
        played, weights = self._play(), list(self._trainer.generator.network.parameters())
        of_points = self._recipe.data.kind == "points"
        fakes = [duel.fake for duel, _ in played.duels] if of_points else []
        gradients = _gradients(played.generator_loss, [*weights, *fakes])
        return Measurements(
            self._trainer.step,
            [critic for duel, scores in played.duels for critic in self._critics(duel, scores)],
            _norm(gradients[: len(weights)]),
            self._critic_norm(played),
            None if judge is None else self._class_counts(judge, played),
            self._points(fakes, gradients[len(weights) :]) if of_points else None,
        )

    def _play(self) -> _Played:
        """Play the generator's turn on the fixed batch; the critic's turn would change a pool of fakes."""
        game, objective, losses = self._trainer.game, self._trainer.objective, self._trainer.losses
        with losses.autocast():
            duels, extra = game.generator_duels(game.sample(self._batch, self._rng, 0), self._rng)
        scored = [losses.score(duel) for duel in duels]
        generator_losses, critic_loss = [loss.float() for loss in extra.values()], None
        if objective is not None:
            generator_losses += [duel.weight * objective.generator_loss(scores) for duel, scores in scored]
            critic_loss = torch.stack([objective.critic_loss(scores) for _, scores in scored]).sum()
        return _Played(scored, torch.stack(generator_losses).sum(), critic_loss)

    def _critic_norm(self, played: _Played) -> float | None:
        """Return the norm of the critic's gradient; None in games without one."""
        if self._trainer.critic is None or played.critic_loss is None:
            return None
        return _norm(_gradients(played.critic_loss, list(self._trainer.critic.network.parameters())))

    def _critics(self, duel: Duel, scores: Scores) -> Iterator[CriticScores]:
        """Yield the scores of a duel's critic. D2GAN has two critics in one: "a" rewards real examples, "b" fakes."""
        real, fake = scores.real_score.detach(), scores.fake.score.detach()
        if self._recipe.objective is not None and self._recipe.objective.kind == "d2gan":
            for column, name in enumerate("ab"):
                yield CriticScores(name, _array(real[..., column].flatten()), _array(fake[..., column].flatten()))
        else:
            yield CriticScores(duel.domain, _array(real.flatten()), _array(fake.flatten()))

    def _class_counts(self, judge: FeatureNetwork, played: _Played) -> list[int] | None:
        """Count generated pictures by the class that the judge sees; None for pictures without classes."""
        game = self._recipe.game
        if not isinstance(game, Synthesis) or not judge.classes:
            return None
        pictures = unpack(played.duels[0][0].fake.detach(), game.packing)
        logits = judge.embed(scaled(as_levels(pictures)))[1]
        return None if logits is None else torch.bincount(logits.argmax(dim=1), minlength=judge.classes).tolist()

    def _points(self, fakes: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> PointMeasurements:
        """Measure what only points have; `fakes` and `gradients` come from the duel, if there is one."""
        generated = self._generate(self._latents) if self._recipe.generates else None
        fake, gradient = generated if generated is None else generated[:POINTS], None
        if fakes:
            fake = self._unpacked(fakes[0])
            # The loss is a mean: an example's own loss weighs n times as much.
            gradient = None if gradients[0] is None else -len(fake) * self._unpacked(gradients[0])
        return PointMeasurements(
            _optional_array(generated),
            _optional_array(self._scores_at_positions()),
            _array(self._batch.real),
            _optional_array(fake),
            _optional_array(gradient),
            _optional_array(self._grid_image()),
        )

    def _unpacked(self, points: Tensor) -> Tensor:
        """Return packs of points as single points [n, d]."""
        game = self._recipe.game
        return unpack(points.detach(), game.packing if isinstance(game, Synthesis) else 1)

    @torch.no_grad()
    def _generate(self, z: Tensor) -> Tensor:
        with self._trainer.losses.autocast():
            points: Tensor = self._trainer.generator.network(z, None)
        return points.float()

    @torch.no_grad()
    def _scores_at_positions(self) -> Tensor | None:
        """Return the critic's score at each position [n], D2GAN's first one; None without a critic of single points."""
        if self._trainer.critic is None or not judges_single_examples(self._recipe):
            return None
        with self._trainer.losses.autocast():
            score: Tensor = self._trainer.critic.network(self._positions).score
        return score.float().reshape(len(self._positions), -1)[:, 0]

    def _grid_image(self) -> Tensor | None:
        """Return the image [m, m, d] of a regular grid in the first two latents, the others 0."""
        if not self._recipe.generates or self._recipe.latent.size < 2 or self._recipe.shape[0] != 2:
            return None
        return self._generate(self._grid).view(GRID_SIDE, GRID_SIDE, -1)

    @cached_property
    def _batch(self) -> Batch:
        """The fixed batch, of whole packs. Pictures are no more than a step has, so a probe takes no more memory."""
        recipe = self._recipe
        n = POINTS if recipe.data.kind == "points" else min(PICTURES, recipe.batch_size)
        packing = recipe.game.packing if isinstance(recipe.game, Synthesis) else 1
        return _first_rows(self._trainer.batches, n - n % packing)

    @cached_property
    def _latents(self) -> Tensor:
        n = POINTS_ON_LINE if self._recipe.shape[0] == 1 else POINTS_IN_PLANE
        return draw_latent(self._recipe.latent, self._rng.stream("latents"), n).to(self._device)

    @cached_property
    def _grid(self) -> Tensor:
        latent = self._recipe.latent
        reach = latent.scale * (GRID_REACH if latent.kind == "normal" else 1)
        line = torch.linspace(-reach, reach, GRID_SIDE)
        z = torch.zeros(GRID_SIDE, GRID_SIDE, latent.size)
        z[..., 0], z[..., 1] = line, line[:, None]
        return z.flatten(0, 1).to(self._device)

    @cached_property
    def _positions(self) -> Tensor:
        return torch.from_numpy(critic_positions(self._recipe.data.dataset)).float().to(self._device)


@contextmanager
def _untouched(trainer: Trainer, rng: Rng) -> Iterator[None]:
    """Put all networks into eval mode inside the block; restore their modes and torch's random numbers afterwards."""
    parts = trainer.game, *trainer.game.players.values()
    training = [module for part in parts for module in part.modules() if module.training]
    with torch.random.fork_rng([trainer.device] if trainer.device.type == "cuda" else []):
        rng.reseed_layers("probe", 0)
        for module in training:
            module.training = False
        try:
            yield
        finally:
            for module in training:
                module.training = True


def _first_rows(batches: Batches, n: int) -> Batch:
    """Return the first n rows of the training's batches: they depend on the seed alone."""
    parts = [batches.batch(number) for number in range(-(-n // batches.size))]

    def joined(rows: Sequence[Tensor | None]) -> Tensor | None:
        present = [row for row in rows if row is not None]
        return torch.cat(present)[:n] if present else None

    real = torch.cat([part.real for part in parts])[:n]
    return Batch(real, joined([part.label for part in parts]), joined([part.other for part in parts]))


def _gradients(loss: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """Return the loss's gradient by each input, without storing it; None where the loss does not depend on it."""
    if not loss.requires_grad:
        return [None] * len(inputs)
    wanted = [x for x in inputs if x.requires_grad]
    found = iter(torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True))
    return [next(found) if x.requires_grad else None for x in inputs]


def _norm(gradients: Sequence[Tensor | None]) -> float | None:
    """Return the Euclidean norm of all gradients together; None if there are none. Synchronises with the device."""
    present = [gradient for gradient in gradients if gradient is not None]
    return float(get_total_norm(present)) if present else None


def _array(x: Tensor) -> Floats:
    array: Floats = x.detach().float().cpu().numpy()
    return array


def _optional_array(x: Tensor | None) -> Floats | None:
    return None if x is None else _array(x)
