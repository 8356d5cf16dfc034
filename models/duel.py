"""Types that games, objectives, penalties and the trainer share: Duel, Scores, Verdict, Origin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

PlayerName = Literal["critic", "generator"]
"""the player whose turn it is, or to which something belongs"""
Losses = dict[str, Tensor]
"""named scalars: a player minimises their sum, and each is reported"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A critic's output for a batch: scores [n, ...], class logits [n, classes] if it classifies, and features.

    `features` [n, f] are the last hidden layer; None for a critic that is an autoencoder.
    """

    score: Tensor
    classes: Tensor | None = None
    features: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of fakes: their latents [n, size], the generator with the labels bound, and its encoder if any."""

    latent: Tensor
    generate: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, slots=True)
class Duel:
    """One critic that judges a real batch against a fake batch.

    `critic` takes pictures alone: label, condition and augmentation are bound to it. `fake` is detached on the critic's
    turn. `label` [n] int64 holds the classes of both batches, or is None. `domain` is `a` or `b` in the unpaired game,
    else empty. `weight` multiplies the generator's objective.
    """

    critic: Callable[[Tensor], Verdict]
    real: Tensor
    fake: Tensor
    label: Tensor | None = None
    origin: Origin | None = None
    domain: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Scores:
    """The critic's verdicts of a duel. On the generator's turn `real` is None unless a loss has `needs_real`."""

    real: Verdict | None
    fake: Verdict

    @property
    def real_score(self) -> Tensor:
        if self.real is None:
            raise ValueError("The real batch was not judged on this turn; declare needs_real = True to have it judged.")
        return self.real.score
