"""The paired game: a generator translates a picture whose target is known (pix2pix and its relatives)."""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import distributed
from models.duel import Duel, Losses, Verdict
from models.games import degrade
from models.games.game import Batch, Game, SampledBatch
from models.rng import Rng, Stream, draw_on
from models.spec import games as spec


@dataclass(frozen=True, slots=True)
class PairedExamples:
    """Inputs [n, c', h', w'] and their targets [n, c, h, w], both in [-1, 1].

    A hole [n, 1, h, w] (1 inside) is also the last channel of the input; the generator fills its inside only.
    """

    input: Tensor
    target: Tensor
    hole: Tensor | None = None

    def part(self, rows: slice) -> "PairedExamples":
        return PairedExamples(self.input[rows], self.target[rows], None if self.hole is None else self.hole[rows])

    def output_of(self, generator: nn.Module) -> Tensor:
        """Run the generator on the inputs: [n, c, h, w] in [-1, 1]. Pixels outside a hole are the target's."""
        output: Tensor = generator(self.input)
        return output if self.hole is None else degrade.fill_hole(self.target, output, self.hole)


def paired_examples(game: spec.Paired, batch: Batch, rng: Stream) -> PairedExamples:
    """Return the pairs of a batch, or compute inputs from its pictures as the game's task says; `rng` places holes.

    Raises ValueError if the task is 'given' and the batch holds no pairs.
    """
    x = batch.real
    match game.task:
        case "given":
            if batch.other is None:
                raise ValueError("The task 'given' needs batches of pairs.")
            return PairedExamples(x, batch.other)
        case "edges":
            return PairedExamples(degrade.edges(x), x)
        case "downscaling":
            return PairedExamples(degrade.downscale(x, game.factor), x)
        case "masks":
            n, _, height, width = x.shape
            hole = draw_on(rng, lambda g: degrade.hole_mask(game.mask, n, height, width, g), x.device)
            return PairedExamples(degrade.cut_hole(x, hole), x, hole)


class Paired(Game):
    """One generator, and one critic that also sees the input if the game is conditional.

    `features` is the network of the content loss. It is part of the game's state, so that a resumed job keeps it.
    """

    def __init__(
        self, game: spec.Paired, generator: nn.Module, critic: nn.Module, features: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.game = game
        self.players = {"generator": generator, "critic": critic}
        self.features = None if features is None else features.requires_grad_(False)

    def sample(self, batch: Batch, rng: Rng, number: int) -> SampledBatch:
        pairs = paired_examples(self.game, batch, rng.stream("holes", number)).part(
            distributed.rank_rows(len(batch.real))
        )
        fake = pairs.output_of(self.players["generator"])
        return SampledBatch(number, batch.rank_part(), {"": pairs.target}, {"": fake}, condition=pairs.input)

    def critic_duels(self, sampled: SampledBatch, rng: Rng) -> list[Duel]:
        return [self._duel(sampled, sampled.fake[""].detach())]

    def generator_duels(self, sampled: SampledBatch, rng: Rng) -> tuple[list[Duel], Losses]:
        fake, target = sampled.fake[""].float(), sampled.real[""]
        losses: Losses = {}
        if self.game.pixel:
            losses["pixel"] = self.game.pixel * F.l1_loss(fake, target)
        if self.features is not None:
            with torch.no_grad():
                target_features = self.features(target).float()
            losses["content"] = self.game.content * F.mse_loss(self.features(fake).float(), target_features)
        return [self._duel(sampled, sampled.fake[""])], losses

    def _duel(self, sampled: SampledBatch, fake: Tensor) -> Duel:
        critic = partial(_judge, self.players["critic"], sampled.condition if self.game.conditional else None)
        return Duel(critic, sampled.real[""], fake, weight=self.game.adversarial)


def _judge(critic: nn.Module, condition: Tensor | None, x: Tensor) -> Verdict:
    verdict: Verdict = critic(x if condition is None else torch.cat([condition, x], dim=1))
    return verdict
