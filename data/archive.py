"""The index of an uploaded archive: which members are used, for what, and in which order."""

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
    """A member, a half of it (0 left, 1 right), or a tile of either."""

    name: str
    half: int | None = None
    tile: Tile = WHOLE_SQUARE


@dataclass(frozen=True)
class SplitMembers:
    """Members of one split. `piles` lists those of the only domain, or of a and b; `labels` are those of the first.

    `tiles` holds into how many squares each picture is cut; None if none is.
    """

    piles: MemberLists
    labels: tuple[int, ...] | None = None
    tiles: Tiles | None = None


@dataclass(frozen=True)
class ArchiveIndex:
    """The members of a dataset and how they are prepared. `held` is the split held out for evaluation.

    `halved`: there is one list of members; the left half of each belongs to domain a, the right half to b. `nearest`
    names the domains that are label maps.
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
        """Read a stored index. Pictures of an older version's index are decoded by that version's rules."""
        stored: dict[str, Any] = json.loads(data)
        if "train" not in stored:
            return cls(_split_members(stored), halved=stored["halved"], reading=Reading(rules=1))
        return cls(
            _split_members(stored["train"]),
            stored["held"] and _split_members(stored["held"]),
            stored["halved"],
            stored["fit"],
            tuple(stored["nearest"]),
            Reading(**stored["reading"]),
        )

    def picks(self, part: SplitMembers, pile: int) -> list[MemberPart]:
        """Return the examples of a domain in order: pictures or their tiles."""
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
        """Return the pictures of a domain in order, without tiles."""
        index, half = (0, pile) if self.halved else (pile, None)
        return [MemberPart(name, half) for name in part.piles[index]]

    def labels(self, part: SplitMembers) -> list[int] | None:
        """Return the labels of the first domain's examples, or None."""
        if part.labels is None or part.tiles is None:
            return None if part.labels is None else list(part.labels)
        return list(chain.from_iterable(map(repeat, part.labels, part.tiles[0])))

    def middle(self, name: str) -> Tile:
        """Return the middle tile of a picture."""
        for pile, counts in zip(self.train.piles, self.train.tiles or (), strict=False):
            if name in pile:
                count = counts[pile.index(name)]
                return Tile(count // 2, count)
        return WHOLE_SQUARE

    def preparation(self, pile: int, side: int, channels: int) -> Preparation:
        return Preparation(side, channels, self.fit, DOMAINS[pile] in self.nearest, self.reading)


def _split_members(stored: dict[str, Any]) -> SplitMembers:
    labels, tiles = stored["labels"], stored.get("tiles")
    return SplitMembers(
        tuple(tuple(pile) for pile in stored["piles"]),
        None if labels is None else tuple(labels),
        None if tiles is None else tuple(tuple(counts) for counts in tiles),
    )


def prepared_prefix(archive_sha256: str, index_sha256: str) -> str:
    """Return the prefix of the names of prepared files of an archive and its index."""
    return f"{archive_sha256[:16]}-{index_sha256[:16]}-"


def half_of(image: Image.Image, pile: int) -> Image.Image:
    return right_half(image) if pile else left_half(image)
