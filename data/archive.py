"""An uploaded archive and its index: which members are used, as what, in which order. Without torch."""

import json
from dataclasses import asdict, dataclass, field
from itertools import chain, repeat
from typing import Any, NamedTuple

from PIL import Image

from data.decode import CURRENT_READING, Reading
from data.prepare import WHOLE_SQUARE, Fit, Preparation, Tile, left_half, right_half

DOMAINS = ("a", "b")
MemberLists = tuple[tuple[str, ...], ...]
Tiles = tuple[tuple[int, ...], ...]


class MemberPart(NamedTuple):
    """A member, or a half of it, or a tile of that."""

    name: str
    half: int | None = None
    tile: Tile = WHOLE_SQUARE


@dataclass(frozen=True)
class SplitMembers:
    """Members of one split. `piles` holds one pile of pictures, or a and b. `labels` are those of the first pile.

    `tiles` says into how many squares each picture is cut, where some are.
    """

    piles: MemberLists
    labels: tuple[int, ...] | None = None
    tiles: Tiles | None = None


@dataclass(frozen=True)
class ArchiveIndex:
    """What a dataset is made of. `held` is kept for evaluation.

    `halved`: there is one pile, and each picture's left half belongs to a, its right half to b. `nearest` names the
    piles that are label maps.
    """

    train: SplitMembers
    held: SplitMembers | None = None
    halved: bool = False
    fit: Fit = "crop"
    nearest: tuple[str, ...] = ()
    reading: Reading = field(default=CURRENT_READING)

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ArchiveIndex":
        """Also one that an older version wrote: its pictures are read as that version read them."""
        said: dict[str, Any] = json.loads(data)
        if "train" not in said:
            return cls(_split_members(said), halved=said["halved"], reading=Reading(rules=1))
        return cls(
            _split_members(said["train"]),
            said["held"] and _split_members(said["held"]),
            said["halved"],
            said["fit"],
            tuple(said["nearest"]),
            Reading(**said["reading"]),
        )

    def picks(self, part: SplitMembers, pile: int) -> list[MemberPart]:
        """What the examples of a pile are, in their order."""
        pictures = self.pictures(part, pile)
        if part.tiles is None:
            return pictures
        counts = part.tiles[0 if self.halved else pile]
        return [
            pick._replace(tile=Tile(number, count))
            for pick, count in zip(pictures, counts, strict=True)
            for number in range(count)
        ]

    def pictures(self, part: SplitMembers, pile: int) -> list[MemberPart]:
        """The pictures of a pile, uncut, in their order."""
        place, half = (0, pile) if self.halved else (pile, None)
        return [MemberPart(name, half) for name in part.piles[place]]

    def labels(self, part: SplitMembers) -> list[int] | None:
        """Of the examples of the first pile."""
        if part.labels is None or part.tiles is None:
            return None if part.labels is None else list(part.labels)
        return list(chain.from_iterable(map(repeat, part.labels, part.tiles[0])))

    def middle(self, name: str) -> Tile:
        """Of the tiles of a picture the one in the middle."""
        for pile, counts in zip(self.train.piles, self.train.tiles or (), strict=False):
            if name in pile:
                count = counts[pile.index(name)]
                return Tile(count // 2, count)
        return WHOLE_SQUARE

    def how(self, pile: int, side: int, channels: int) -> Preparation:
        return Preparation(side, channels, self.fit, DOMAINS[pile] in self.nearest, self.reading)


def _split_members(said: dict[str, Any]) -> SplitMembers:
    labels, tiles = said["labels"], said.get("tiles")
    return SplitMembers(
        tuple(tuple(pile) for pile in said["piles"]),
        None if labels is None else tuple(labels),
        None if tiles is None else tuple(tuple(counts) for counts in tiles),
    )


def prepared_prefix(archive_sha256: str, index_sha256: str) -> str:
    """How names of files begin that were made from an archive and its index."""
    return f"{archive_sha256[:16]}-{index_sha256[:16]}-"


def half_of(image: Image.Image, pile: int) -> Image.Image:
    return right_half(image) if pile else left_half(image)
