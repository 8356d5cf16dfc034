"""An uploaded archive and its index: which members are used, as what, in which order. Knows no torch."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from PIL import Image

from models.decoding import Unreadable, read_picture
from models.preparing import Pixels, left_half, prepare, right_half

PILES = ("a", "b")


@dataclass(frozen=True)
class Index:
    """`piles` holds names of members: one pile of pictures, or a and b. `labels` are those of the first pile.

    `halved`: there is one pile, and each picture's left half belongs to a, its right half to b.
    """

    piles: tuple[tuple[str, ...], ...]
    labels: tuple[int, ...] | None = None
    halved: bool = False

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Index":
        said: dict[str, Any] = json.loads(data)
        labels = None if said["labels"] is None else tuple(said["labels"])
        return cls(tuple(tuple(pile) for pile in said["piles"]), labels, said["halved"])

    def members(self, pile: int) -> tuple[str, ...]:
        return self.piles[0 if self.halved else pile]


@dataclass(frozen=True)
class Archive:
    """Reads prepared pictures out of a zip whose members were read once before, at intake."""

    path: Path
    index: Index

    def pictures(self, pile: int, side: int, channels: int) -> Iterator[Pixels]:
        """uint8 [side, side, channels] each, in the index's order. Raises Unreadable naming the member."""
        with ZipFile(self.path) as archive:
            for name in self.index.members(pile):
                with _naming(name):
                    image = read_picture(archive.read(name)).image
                yield prepare(half_of(image, pile) if self.index.halved else image, side, channels)


def mark(archive_sha256: str, index_sha256: str) -> str:
    """How names of files begin that were made from an archive and its index."""
    return f"{archive_sha256[:16]}-{index_sha256[:16]}-"


def half_of(image: Image.Image, pile: int) -> Image.Image:
    return right_half(image) if pile else left_half(image)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except Unreadable as error:
        raise Unreadable(error.fault, f"{name}: {error}") from error
