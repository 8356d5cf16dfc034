"""What is wrong with a training, read off its evaluations. Losses say little; figures on fixed latents say more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from worker.training.watch import Evaluation

Kind = Literal[
    "collapse", "critic_saturated", "critic_too_weak", "oscillation", "converged_but_fails", "non_finite",
    "no_progress", "memorising",
]  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """One finding. Grave ones do not pass by themselves: a policy may act on them."""

    kind: Kind
    message: str
    grave: bool


def troubles(history: "Sequence[Evaluation]") -> list[Trouble]:
    """What the last evaluations show, in the order of Kind."""
    return []
