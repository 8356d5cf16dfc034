"""Types that games, objectives, penalties and the trainer share: Duel, Scores, Verdict, Origin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Turn = Literal["critic", "generator"]
Losses = dict[str, Tensor]
"""Named scalars. What a player minimises is their sum, and what is reported is the same scalars."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a critic says of a batch: scores [n, ...], where it names classes logits [n, classes], and what it saw.

    `features` [n, f] are its last hidden layer; the critic that rebuilds pictures shows none.
    """

    score: Tensor
    classes: Tensor | None = None
    features: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a fake came from: its latents [n, size], the generator with label closed over, and its encoder if any."""

    latent: Tensor
    generate: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, slots=True)
class Duel:
    """One critic judging one real batch against one fake batch.

    `critic` has label, condition and augmentation closed over; `fake` is detached on the critic's turn.
    `label` [n] int64 is what both batches were asked to show, where the game has classes. `weight` is that of the
    generator's objective.
    """

    critic: Callable[[Tensor], Verdict]
    real: Tensor
    fake: Tensor
    label: Tensor | None = None
    origin: Origin | None = None
    tag: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Both verdicts of a duel. `real` is None on the generator's turn unless somebody compares."""

    real: Verdict | None
    fake: Verdict

    @property
    def real_score(self) -> Tensor:
        if self.real is None:
            raise ValueError("The real batch was not judged on this turn; declare compares = True to have it judged.")
        return self.real.score
