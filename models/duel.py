"""Types that games, objectives, penalties and the trainer share: Duel, Scores, Verdict, Origin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Turn = Literal["critic", "generator"]
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
    """The origin of fakes: latents [n, size], the generator with its label bound, and the encoder if there is one."""

    latent: Tensor
    generate: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, slots=True)
class Duel:
    """One critic that judges a real batch against a fake batch.

    `critic` has label, condition and augmentation bound; `fake` is detached on the critic's turn. `label` [n] int64
    holds the classes of both batches, or is None. `weight` multiplies the generator's objective.
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
    """Both verdicts of a duel. On the generator's turn `real` is None unless an objective or penalty needs it."""

    real: Verdict | None
    fake: Verdict

    @property
    def real_score(self) -> Tensor:
        if self.real is None:
            raise ValueError("The real batch was not judged on this turn; declare needs_real = True to have it judged.")
        return self.real.score
