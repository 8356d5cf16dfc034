"""The base class of games: draw examples, lay out duels for both players. Weights move in worker/training/step.py."""

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from models import distributed
from models.duel import Duel, Losses, Scores
from models.nets.layers.common import Scheduled
from models.rng import Rng


@dataclass(frozen=True, slots=True)
class Batch:
    """Real pictures [n, c, h, w] in [-1, 1], points [n, d] or strings [n, length, symbols], one symbol hot.

    `label` [n] or None; `other` is the second pile.
    """

    real: Tensor
    label: Tensor | None = None
    other: Tensor | None = None

    def part(self) -> "Batch":
        """What of it is this rank's."""
        label = None if self.label is None else distributed.part(self.label)
        return Batch(distributed.part(self.real), label, None if self.other is None else distributed.part(self.other))


@dataclass(frozen=True, slots=True)
class Draw:
    """What the generators made of one batch: by tag, real beside fake. Both turns of a step share one draw.

    From here on everything is this rank's part.
    """

    number: int
    batch: Batch
    real: dict[str, Tensor]
    fake: dict[str, Tensor]
    latent: Tensor | None = None
    given: Tensor | None = None
    """what the generator was shown, in the paired game"""


class Game(Scheduled):
    """A module so that a game with state (a pool, a probability) has buffers that are saved."""

    players: dict[str, nn.Module]
    """In a plain dict: players own their weights, the game's state is its buffers alone, and a lookahead can take the
    critic's place for one turn."""

    @abstractmethod
    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        """Run the generators once on draw `number` of the job, of this rank's part of the whole batch."""

    @abstractmethod
    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        """Duels with fakes detached."""

    @abstractmethod
    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        """Duels with fakes attached, and the losses that are no duel (cycle, identity, pixels)."""

    def update_state(self, scores: Scores) -> None:
        """Called once at each turn of the critic; where a game's own state moves."""

    def gauges(self) -> Losses:
        """What of its state is worth watching, by name; reported and never optimised."""
        return {}
