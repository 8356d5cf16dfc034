"""Types that readers share: the tensors of a dataset, and the error for a missing one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from models.errors import JobFailure

Split = Literal["train", "test"]
Beat = Callable[[], None]
"""called all along while something long is read or drawn; what it raises ends that"""


def no_heartbeat() -> None:
    """A beat that nobody listens to."""


class DatasetMissing(JobFailure):
    """The files of a dataset are absent or damaged. The message says where to put them."""

    code = "dataset_missing"


@dataclass(frozen=True, eq=False)
class Data:
    """A dataset in memory. What a kind of data does not have is None.

    images: uint8 [N, C, S, S] with labels int64 [N] (None when unlabelled); points: float32 [N, 1 or 2];
    sequences: int64 [N, L], numbers of symbols; unpaired: a uint8 [N, C, S, S] and b uint8 [M, C, S, S]; paired: the
    same with N = M. Where crops are learned from, S of the piles is the side that they are prepared at.
    """

    images: Tensor | None = None
    labels: Tensor | None = None
    points: Tensor | None = None
    sequences: Tensor | None = None
    a: Tensor | None = None
    b: Tensor | None = None

    def centre_crop(self, side: int) -> "Data":
        """Views of the middle of both piles' pictures; all of them where they are no larger."""
        if self.a is None or self.b is None:
            return self
        return replace(self, a=centre_crop(self.a, side), b=centre_crop(self.b, side))


def centre_crop(pile: Tensor, side: int) -> Tensor:
    """A view [n, c, side, side] of the middle of pictures [n, c, s, s]."""
    start = (pile.shape[-1] - side) // 2
    return pile[..., start : start + side, start : start + side]


def unknown_dataset(name: str, known: Iterable[str]) -> DatasetMissing:
    choice = ", ".join(sorted(known)) or "those you upload"
    return DatasetMissing(f"There is no dataset '{name}' of this kind; choose one of {choice}.")
