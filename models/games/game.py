"""The base class of games, which run the generators and build duels. worker/training/step.py updates the weights."""

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
class SampledBatch:
    """This rank's part of a batch with the fakes that the generators sampled for it.

    `real` and `fake` hold the examples by domain, `a` and `b` in the unpaired game; other games have the one key "".
    In a step the generator's turn and the last of the critic's turns share one. `number` counts the batches of the job.
    """

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
    """generator and critic by name. The dict is a plain one, so that their weights are not part of the game's state and
    a lookahead can replace the critic for one turn"""

    @abstractmethod
    def sample(self, batch: Batch, rng: Rng, number: int) -> SampledBatch:
        """Run the generators once on this rank's rows of the whole batch; `number` is that of the batch."""

    @abstractmethod
    def critic_duels(self, sampled: SampledBatch, rng: Rng) -> list[Duel]:
        """Return the duels of the critics' turn, with fakes detached."""

    @abstractmethod
    def generator_duels(self, sampled: SampledBatch, rng: Rng) -> tuple[list[Duel], Losses]:
        """Return the duels of the generators' turn, and the losses that need no critic (cycle, identity, pixels)."""

    def update_state(self, scores: Scores) -> None:
        """Update the game's state. Called once per turn of the critic."""

    def gauges(self) -> Losses:
        """Return the state that is plotted, by name. It is reported, never optimised."""
        return {}
