"""The paired game: a generator is given one picture and shall answer with another that is known (pix2pix and kin)."""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import distributed
from models.duel import Duel, Losses, Verdict
from models.games import degrade
from models.games.game import Batch, Draw, Game
from models.rng import Rng, Stream, drawn
from models.spec import games as spec


@dataclass(frozen=True, slots=True)
class Question:
    """What the generator is given [n, c', h', w'] beside the right answer [n, c, h, w], both in [-1, 1].

    Where there is a hole [n, 1, h, w] (1 inside), it is the last channel of what is given, and only it is painted.
    """

    given: Tensor
    answer: Tensor
    hole: Tensor | None = None

    def part(self, rows: slice) -> "Question":
        return Question(self.given[rows], self.answer[rows], None if self.hole is None else self.hole[rows])

    def answered_by(self, generator: nn.Module) -> Tensor:
        """[n, c, h, w] in [-1, 1]."""
        made: Tensor = generator(self.given)
        return made if self.hole is None else degrade.filled(self.answer, made, self.hole)


def ask(game: spec.Paired, batch: Batch, rng: Stream) -> Question:
    """The questions of a batch: its pairs, or what the game's task makes of its pictures. `rng` places the holes."""
    x = batch.real
    match game.task:
        case "given":
            if batch.other is None:
                raise ValueError("The task 'given' needs batches of pairs.")
            return Question(x, batch.other)
        case "edges":
            return Question(degrade.edges(x), x)
        case "downscaling":
            return Question(degrade.smaller(x, game.factor), x)
        case "masks":
            n, _, height, width = x.shape
            hole = drawn(rng, lambda own: degrade.hole(game.mask, n, height, width, own), x.device)
            return Question(degrade.holed(x, hole), x, hole)


class Paired(Game):
    """One generator answers, one critic judges answers, beside what was given when the game is conditional.

    `features` compares contents: it is part of the game's state, so that a resumed job has the very same one.
    """

    def __init__(
        self, game: spec.Paired, generator: nn.Module, critic: nn.Module, features: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.game = game
        self.players = {"generator": generator, "critic": critic}
        self.features = None if features is None else features.requires_grad_(False)

    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        question = ask(self.game, batch, rng.stream("holes", number)).part(distributed.rows(len(batch.real)))
        made = question.answered_by(self.players["generator"])
        return Draw(number, batch.part(), {"": question.answer}, {"": made}, given=question.given)

    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        return [self._duel(draw, draw.fake[""].detach())]

    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        made, answer = draw.fake[""].float(), draw.real[""]
        losses: Losses = {}
        if self.game.pixel:
            losses["pixel"] = self.game.pixel * F.l1_loss(made, answer)
        if self.features is not None:
            with torch.no_grad():
                wanted = self.features(answer).float()
            losses["content"] = self.game.content * F.mse_loss(self.features(made).float(), wanted)
        return [self._duel(draw, draw.fake[""])], losses

    def _duel(self, draw: Draw, fake: Tensor) -> Duel:
        critic = partial(_judged, self.players["critic"], draw.given if self.game.conditional else None)
        return Duel(critic, draw.real[""], fake, weight=self.game.adversarial)


def _judged(critic: nn.Module, given: Tensor | None, x: Tensor) -> Verdict:
    verdict: Verdict = critic(x if given is None else torch.cat([given, x], dim=1))
    return verdict
