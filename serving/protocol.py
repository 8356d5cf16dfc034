"""The interface of an engine, local or remote, and the limit of its queue."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from numpy.typing import NDArray

from models.spec.recipe import Recipe

Array = NDArray[Any]
Direction = Literal["a2b", "b2a"]
WorkKind = Literal["sample", "latents", "translate", "features", "search", "directions"]
Pick = tuple[int | None, int]
"""one requested picture: its class (None for models without classes), and its number under the request's seed"""
Method = Literal["closed_form", "principal"]
"""a way to find directions of a latent space without labels"""
PICTURE_PIXELS = 128 * 128
"""pixels of a translation that count as one picture in the queue's bound"""
MEASUREMENT_DECAY = 0.9
"""factor by which each new measurement reduces the weight of older ones"""


@dataclass(frozen=True)
class CriticFile:
    """The checkpoint that holds a version's critic, which an export has not."""

    path: Path
    sha256: str


class Overloaded(Exception):
    """The error of a full queue; in about `retry_after` seconds the waiting pictures will be done."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"The engine's queue is full; try again in {retry_after:.0f} s.")
        self.retry_after = retry_after


class ExportFlawed(Exception):
    """The error of an export whose file is "missing" or "damaged" (`how`)."""

    def __init__(self, sha256: str, how: str) -> None:
        super().__init__(f"The export {sha256} is {how}.")
        self.sha256, self.how = sha256, how


@dataclass(frozen=True)
class Turns:
    """Steps of a search: those from `begin` on, `steps` of them, of `total`. Without steps the errors are measured."""

    begin: int
    steps: int
    total: int
    feature_weight: float = 0.0
    """weight of the features' error beside that of the pixels at the first step; it falls to 0 until the last"""


class AnyEngine(Protocol):
    """An engine; its methods may be called from any thread. Cancelling a future removes its request from the queue."""

    @property
    def deadline(self) -> float | None:
        """Most seconds until a reply; None if a reply is certain."""

    def check(self) -> None:
        """Raise Overloaded if the queue has no room for one more picture."""

    def sample(
        self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0, truncation: float | None = None
    ) -> Future[Array]:
        """Sample levels [n, side, side, channels], points float32 [n, dimension] or symbols int64 [n, length].

        Levels are uint8, or uint16 for a model of 16 bits. Raises Overloaded.
        """

    def latents(
        self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0, truncation: float | None = None
    ) -> Future[Array]:
        """Draw the latents float32 [n, size] from which `sample` would generate. Raises Overloaded."""

    def decode(self, path: Path, latents: Array, weights: Array | None = None) -> Future[Array]:
        """Generate from latents float32 [n, size]; the result is as for `sample`. Raises Overloaded.

        A model with classes needs `weights` float32 [n, classes]: of each row, the weight of each class.
        """

    def translate(self, path: Path, image: Array, direction: Direction, *, pixels: int = 0) -> Future[Array]:
        """Translate levels [h, w, channels]; the queue counts the `pixels` of the canvas. Raises Overloaded."""

    def features(self, path: Path, pictures: Array, critic: CriticFile | None) -> Future[Array]:
        """Return the features float32 [n, f] of pictures, levels [n, side, side, channels].

        They are the critic's, or without one those of the encoder that the export holds. Raises Overloaded.
        """

    def search(
        self, path: Path, picture: Array, attempts: Array, turns: Turns, critic: CriticFile | None
    ) -> Future[Array]:
        """Bring attempts (serving.attempts) nearer to a picture, levels [side, side, channels + 1], and return them.

        The last channel is 0 where a pixel is known. With a critic its features are compared too. Raises Overloaded.
        """

    def directions(self, path: Path, method: Method, n: int, seed: int) -> Future[Array]:
        """Find the n strongest directions without labels (serving.directions): float32 [1, n, 1 + size].

        Each row is a strength and a unit vector. There may be fewer than n. Raises Overloaded.
        """

    def export(self, recipe: Recipe, checkpoint_file: Path, out: Path, *, threads: int) -> None:
        """Write the export of a checkpoint to `out`."""

    def load(self) -> tuple[int, tuple[int, ...]]:
        """Return the number of waiting pictures, and at index n the number of turns that generated n pictures."""

    def close(self) -> None:
        """Cancel the waiting requests."""


def queue_weight(image: Array, pixels: int) -> int:
    """Return as how many pictures a translation counts in the queue."""
    image_pixels: int = image.shape[0] * image.shape[1]
    return 1 + max(pixels, image_pixels) // PICTURE_PIXELS


def search_weight(attempts: Array, turns: Turns) -> int:
    """Return as how many pictures a search counts in the queue."""
    return len(attempts) * max(turns.steps, 1)


class Backlog:
    """The number of waiting pictures, and an estimate of their time by the time that earlier pictures took.

    Each kind of work is measured separately: a translation may take a thousand times as long as a sample.
    Callers hold the engine's lock.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: dict[WorkKind, int] = dict.fromkeys(get_args(WorkKind), 0)
        self._took: dict[WorkKind, tuple[float, float]] = dict.fromkeys(self._waiting, (0.01, 1.0))
        """by kind of work, seconds and the number of pictures generated in them"""

    @property
    def pictures(self) -> int:
        return sum(self._waiting.values())

    @property
    def seconds(self) -> float:
        """Estimated seconds until all waiting pictures are done."""
        return sum(self._waiting[kind] * seconds / pictures for kind, (seconds, pictures) in self._took.items())

    def check(self, pictures: int) -> None:
        """Raise Overloaded if `pictures` do not fit into the queue. An empty queue takes any number."""
        if self.pictures and self.pictures + pictures > self._bound:
            raise Overloaded(self.seconds)

    def enter(self, kind: WorkKind, pictures: int) -> None:
        self._waiting[kind] += pictures

    def leave(self, kind: WorkKind, pictures: int) -> None:
        self._waiting[kind] -= pictures

    def measure(self, kind: WorkKind, seconds: float, pictures: int) -> None:
        old_seconds, old_pictures = self._took[kind]
        self._took[kind] = (MEASUREMENT_DECAY * old_seconds + seconds, MEASUREMENT_DECAY * old_pictures + pictures)
