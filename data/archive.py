"""The index of an uploaded archive: the members that are used, their splits and domains, and their preparation."""

import json
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any, NamedTuple

from data.decode import CURRENT_RULES, DecodingRules
from data.deep_image import AnyImage
from data.prepare import PREPARE_VERSION, WHOLE_SQUARE, Fit, Preparation, Tile, left_half, right_half
from models.spec.data import Images, TwoDomains

DOMAINS = ("a", "b")
MemberLists = tuple[tuple[str, ...], ...]
Tiles = tuple[tuple[int, ...], ...]


class MemberPart(NamedTuple):
    """A tile of a picture in an archive, or of one half of the picture: `half` 0 is the left half, 1 the right one."""

    name: str
    half: int | None = None
    tile: Tile = WHOLE_SQUARE


@dataclass(frozen=True)
class SplitMembers:
    """The members of one split, by domain: those of the only domain, or of `a` and `b`.

    `labels` are those of the first domain. `tiles` holds the number of squares into which each picture is cut, by
    domain; None if pictures are not cut.
    """

    domains: MemberLists
    labels: tuple[int, ...] | None = None
    tiles: Tiles | None = None


@dataclass(frozen=True)
class ArchiveIndex:
    """The members of a dataset and how they are prepared. `held_out` is the split for evaluation.

    `halved`: there is one list of members; the left half of each belongs to domain `a`, the right half to `b`.
    `label_maps` names the domains whose pictures are label maps.
    """

    train: SplitMembers
    held_out: SplitMembers | None = None
    halved: bool = False
    fit: Fit = "crop"
    label_maps: tuple[str, ...] = ()
    decoding: DecodingRules = field(default=CURRENT_RULES)

    def to_bytes(self) -> bytes:
        """Return the index as it is stored. Some stored names are older than those of the fields."""
        stored = {
            "train": _to_stored(self.train),
            "held": self.held_out and _to_stored(self.held_out),
            "halved": self.halved,
            "fit": self.fit,
            "nearest": self.label_maps,
            "reading": _rules_to_stored(self.decoding),
        }
        return json.dumps(stored, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ArchiveIndex":
        """Read a stored index. Pictures of an index of version 1 are decoded by that version's rules."""
        stored: dict[str, Any] = json.loads(data)
        if "train" not in stored:
            return cls(_from_stored(stored), halved=stored["halved"], decoding=DecodingRules(rules=1))
        return cls(
            _from_stored(stored["train"]),
            stored["held"] and _from_stored(stored["held"]),
            stored["halved"],
            stored["fit"],
            tuple(stored["nearest"]),
            _rules_from_stored(stored["reading"]),
        )

    def examples(self, split: SplitMembers, domain: int) -> list[MemberPart]:
        """Return the examples of a domain in order: its pictures, or their tiles."""
        pictures = self.pictures(split, domain)
        if split.tiles is None:
            return pictures
        counts = split.tiles[0 if self.halved else domain]
        return [
            picture._replace(tile=Tile(number, count))
            for picture, count in zip(pictures, counts, strict=True)
            for number in range(count)
        ]

    def pictures(self, split: SplitMembers, domain: int) -> list[MemberPart]:
        """Return the pictures of a domain in order, without tiles."""
        index, half = (0, domain) if self.halved else (domain, None)
        return [MemberPart(name, half) for name in split.domains[index]]

    def labels(self, split: SplitMembers) -> list[int] | None:
        """Return the labels of the first domain's examples, or None."""
        if split.labels is None or split.tiles is None:
            return None if split.labels is None else list(split.labels)
        return list(chain.from_iterable(map(repeat, split.labels, split.tiles[0])))

    def middle_tile(self, name: str) -> Tile:
        """Return the middle tile of a training picture."""
        for domain, counts in zip(self.train.domains, self.train.tiles or (), strict=False):
            if name in domain:
                count = counts[domain.index(name)]
                return Tile(count // 2, count)
        return WHOLE_SQUARE

    def preparation(self, domain: int, side: int, channels: int) -> Preparation:
        """Return how pictures of a domain (0 for `a`, 1 for `b`) are prepared at this side and number of channels."""
        return Preparation(side, channels, self.fit, DOMAINS[domain] in self.label_maps, self.decoding)


def _rules_to_stored(decoding: DecodingRules) -> dict[str, Any]:
    """Return the rules as they are stored. The bits are left out at 8, so that older indexes keep their bytes."""
    stored = {"rules": decoding.rules, "bits": decoding.depth}
    return stored if decoding.bits == 8 else stored | {"sample_bits": decoding.bits}


def _rules_from_stored(stored: dict[str, Any]) -> DecodingRules:
    return DecodingRules(stored["rules"], stored["bits"], stored.get("sample_bits", 8))


def _to_stored(split: SplitMembers) -> dict[str, Any]:
    return {"piles": split.domains, "labels": split.labels, "tiles": split.tiles}


def _from_stored(stored: dict[str, Any]) -> SplitMembers:
    labels, tiles = stored["labels"], stored.get("tiles")
    return SplitMembers(
        tuple(tuple(domain) for domain in stored["piles"]),
        None if labels is None else tuple(labels),
        None if tiles is None else tuple(tuple(counts) for counts in tiles),
    )


def prepared_prefix(archive_sha256: str, index_sha256: str) -> str:
    """Return the prefix of the names of the files with prepared pictures of an archive and its index."""
    return f"{archive_sha256[:16]}-{index_sha256[:16]}-"


def prepared_name(archive_sha256: str, index_sha256: str, domain: str, spec: Images | TwoDomains) -> str:
    """Return the name of the file with the prepared pictures of a domain, such as `a`, for such data."""
    size = f"{spec.prepared_side}x{spec.prepared_side}x{spec.channels}"
    return f"{prepared_prefix(archive_sha256, index_sha256)}{domain}-{size}-{PREPARE_VERSION}.npy"


def half_of(image: AnyImage, domain: int) -> AnyImage:
    """Return the half of a picture that belongs to a domain: the left one to 0, the right one to 1."""
    return right_half(image) if domain else left_half(image)
