"""Types that readers share: the tensors of a dataset, and the error for a missing one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from models.errors import JobFailure

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "test"]
Heartbeat = Callable[[], None]
"""a heartbeat: it is called regularly during long work, and an exception that it raises ends the work"""


def no_heartbeat() -> None:
    """Do nothing: the default heartbeat."""


class DatasetMissing(JobFailure):
    """The error of a dataset whose files are missing or damaged. The message says where to put them."""

    code = "dataset_missing"


@dataclass(frozen=True, eq=False)
class Data:
    """A dataset in memory; fields of other kinds of data are None.

    Levels of pictures are uint8, or uint16 for a dataset of 16 bits.
    images: [N, C, S, S] with labels int64 [N] (None if unlabelled); points: float32 [N, 1 or 2]; sequences:
    symbol numbers int64 [N, L]; two domains: a [N, C, S, S] and b [M, C, S, S], with N = M if paired. For
    random crops, S of a and b is the prepared side.
    """

    images: "Tensor | None" = None
    labels: "Tensor | None" = None
    points: "Tensor | None" = None
    sequences: "Tensor | None" = None
    a: "Tensor | None" = None
    b: "Tensor | None" = None

    def centre_crop(self, side: int) -> "Data":
        """Return the dataset with centre crops of a and b, as views."""
        if self.a is None or self.b is None:
            return self
        return replace(self, a=centre_crop(self.a, side), b=centre_crop(self.b, side))


def centre_crop(pictures: "Tensor", side: int) -> "Tensor":
    """Return the centre [n, c, side, side] of pictures [n, c, s, s], as a view."""
    start = (pictures.shape[-1] - side) // 2
    return pictures[..., start : start + side, start : start + side]


def unknown_dataset(name: str, known: Iterable[str]) -> DatasetMissing:
    """Return the error for a name that is not among the known datasets."""
    choice = ", ".join(sorted(known)) or "those you upload"
    return DatasetMissing(f"There is no dataset '{name}' of this kind; choose one of {choice}.")
