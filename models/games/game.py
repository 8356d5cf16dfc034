"""The base class of games: run the generators, lay out duels. worker/training/step.py updates the weights."""

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from models import distributed
from models.duel import Duel, Losses, Scores
from models.nets.layers.common import Scheduled
from models.rng import Rng


@dataclass(frozen=True, slots=True)
class Batch:
    """Real pictures [n, c, h, w] in [-1, 1], points [n, d] or one-hot strings [n, length, symbols].

    `label` is [n] int64, or None without classes. `other` holds domain b of the unpaired game, or the targets of the
    paired one.
    """

    real: Tensor
    label: Tensor | None = None
    other: Tensor | None = None

    def rank_part(self) -> "Batch":
        """Return this rank's rows."""
        label = None if self.label is None else distributed.rank_part(self.label)
        return Batch(
            distributed.rank_part(self.real), label, None if self.other is None else distributed.rank_part(self.other)
        )


@dataclass(frozen=True, slots=True)
class Draw:
    """This rank's real examples and the generators' fakes, both by tag. Both turns of a step share one draw."""

    number: int
    batch: Batch
    real: dict[str, Tensor]
    fake: dict[str, Tensor]
    latent: Tensor | None = None
    condition: Tensor | None = None
    """the generator's input in the paired game"""


class Game(Scheduled):
    """Base class. It is a module so that a game's state (an image pool, a probability) is saved in buffers."""

    players: dict[str, nn.Module]
    """generator and critic by name, in a plain dict: their weights are not part of the game's state, and a lookahead
    can replace the critic for one turn"""

    @abstractmethod
    def draw(self, batch: Batch, rng: Rng, number: int) -> Draw:
        """Run the generators once on this rank's rows of the whole batch. `number` counts the job's draws."""

    @abstractmethod
    def critic_duels(self, draw: Draw, rng: Rng) -> list[Duel]:
        """Return the critics' duels, with fakes detached."""

    @abstractmethod
    def generator_duels(self, draw: Draw, rng: Rng) -> tuple[list[Duel], Losses]:
        """Return duels with fakes attached, and the losses without a critic (cycle, identity, pixels)."""

    def update_state(self, scores: Scores) -> None:
        """Update the game's state. Called once per turn of the critic."""

    def gauges(self) -> Losses:
        """Return the state that is plotted, by name. It is reported, never optimised."""
        return {}
