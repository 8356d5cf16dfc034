"""An uploaded archive and its index: which members are used, as what, in which order. Knows no torch."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from models.preparing import left_half, right_half

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


def mark(archive_sha256: str, index_sha256: str) -> str:
    """How names of files begin that were made from an archive and its index."""
    return f"{archive_sha256[:16]}-{index_sha256[:16]}-"


def half_of(image: Image.Image, pile: int) -> Image.Image:
    return right_half(image) if pile else left_half(image)
