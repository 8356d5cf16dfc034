"""Requests to an engine, local or remote, and the limits of its queue. Without torch."""

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from models.spec.recipe import Recipe

Array = NDArray[Any]
Direction = Literal["a2b", "b2a"]
Kind = Literal["sample", "translate"]
Pick = tuple[int | None, int]
"""one picture asked for: its class (None when the model knows none), and its number under the request's seed"""
PICTURE_PIXELS = 128 * 128
"""of a translation count as one picture in the queue's bound"""
FADE = 0.9
"""what an older measurement counts for beside the next one"""


class Overloaded(Exception):
    """More pictures wait than the bound allows; `retry_after` is when those will have been made, in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"The engine's queue is full; try again in {retry_after:.0f} s.")
        self.retry_after = retry_after


class ExportFlawed(Exception):
    """The file of an export, named by its sha256, is "missing" or "damaged"."""

    def __init__(self, sha256: str, how: str) -> None:
        super().__init__(f"The export {sha256} is {how}.")
        self.sha256, self.how = sha256, how


class AnyEngine(Protocol):
    """Asked from any thread. A future that is cancelled withdraws its request, and frees its place."""

    @property
    def deadline(self) -> float | None:
        """Seconds that an answer may take; None where it is sure to come."""

    def check(self) -> None:
        """Raises Overloaded where not one more picture may wait."""

    def sample(self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0) -> Future[Array]:
        """uint8 [n, side, side, channels]; of points float32 [n, dimension]; of strings int64 [n, length].

        Raises Overloaded.
        """

    def translate(self, path: Path, image: Array, direction: Direction, *, pixels: int = 0) -> Future[Array]:
        """uint8 [h, w, channels] in and out; it counts by the `pixels` of its canvas. Raises Overloaded."""

    def export(self, recipe: Recipe, saved: Path, out: Path, *, threads: int) -> None:
        """The export of a checkpoint."""

    def load(self) -> tuple[int, tuple[int, ...]]:
        """Pictures that wait; and at place n, how many turns made n pictures since the start."""

    def close(self) -> None:
        """Cancels what waits."""


def weight(image: Array, pixels: int) -> int:
    """Pictures that a translation counts as."""
    own: int = image.shape[0] * image.shape[1]
    return 1 + max(pixels, own) // PICTURE_PIXELS


class Backlog:
    """Pictures that wait, and the time they will take by what others took. Its owner's lock guards it.

    Drawing and translating are measured apart: a picture of the one may take a thousand times as long as of the other.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: dict[Kind, int] = {"sample": 0, "translate": 0}
        self._took: dict[Kind, tuple[float, float]] = dict.fromkeys(self._waiting, (0.01, 1.0))
        """seconds, and the pictures made in them"""

    @property
    def pictures(self) -> int:
        return sum(self._waiting.values())

    @property
    def seconds(self) -> float:
        """Until all that waits has been made."""
        return sum(self._waiting[kind] * seconds / pictures for kind, (seconds, pictures) in self._took.items())

    def check(self, pictures: int) -> None:
        """Raises Overloaded; where nothing waits, any number may."""
        if self.pictures and self.pictures + pictures > self._bound:
            raise Overloaded(self.seconds)

    def enter(self, kind: Kind, pictures: int) -> None:
        self._waiting[kind] += pictures

    def leave(self, kind: Kind, pictures: int) -> None:
        self._waiting[kind] -= pictures

    def measure(self, kind: Kind, seconds: float, pictures: int) -> None:
        before, made = self._took[kind]
        self._took[kind] = (FADE * before + seconds, FADE * made + pictures)
