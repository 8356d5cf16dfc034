"""Summarise facts about single pictures into the index and the report of a dataset."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from data.archive import DOMAINS, ArchiveIndex, MemberLists, SplitMembers
from data.decode import Reading
from data.prepare import Fit, Preparation, describe, tile_count
from data.uploads import advice
from data.uploads.layout import ArchiveLayout, HeldOutSplit
from data.uploads.report import Class, Corrupt, Listed, Report, Span, Transform
from data.uploads.zip_names import natural_key

Facts = dict[str, Any]
DEFAULT_SIDES = (16, 32, 64)
"""possible default sides of a dataset whose pictures do not share one"""
MIN_SHARED_SIDE = 8
TRANSLATOR_MULTIPLE = 4
"""default sides of translators' data are multiples of this"""
MAX_DOMAIN_PALETTE = 256
"""most colours of all label maps of a domain"""


@dataclass(frozen=True)
class UploadOptions:
    """An upload's options for reading and preparing pictures; `bits` are the used bits of 16-bit samples."""

    fit: Fit = "crop"
    bits: int | None = None
    labels: Literal["auto", "none", "a", "b"] = "auto"

    @property
    def reading(self) -> Reading:
        return Reading(bits=self.bits)


@dataclass(frozen=True)
class Survey:
    """Facts about the readable members, and the reasons why others cannot be read."""

    facts: Mapping[str, Facts]
    reasons: Mapping[str, str] = field(default_factory=dict)


def build_index(laid: ArchiveLayout, survey: Survey, options: UploadOptions) -> ArchiveIndex:
    halved = laid.layout == "side_by_side"
    held = None if laid.held is None else _part(laid.held, survey, options.fit, halved)
    train = _part(laid, survey, options.fit, halved)
    return ArchiveIndex(train, held, halved, options.fit, _label_maps(laid, survey, options), options.reading)


def _part(laid: ArchiveLayout | HeldOutSplit, survey: Survey, fit: Fit, halved: bool) -> SplitMembers:
    return SplitMembers(laid.piles, laid.labels, _tiles(laid, survey, fit, halved) if fit == "tiles" else None)


def _tiles(laid: ArchiveLayout | HeldOutSplit, survey: Survey, fit: Fit, halved: bool) -> tuple[tuple[int, ...], ...]:
    """Return into how many squares each picture is cut; for pairs the first picture decides."""
    counts = tuple(tuple(tile_count(*_size(survey.facts[name], halved), fit) for name in pile) for pile in laid.piles)
    paired = getattr(laid, "layout", "") == "paired"
    return (counts[0], counts[0]) if paired else counts


def _label_maps(laid: ArchiveLayout, survey: Survey, options: UploadOptions) -> tuple[str, ...]:
    """Return the domains whose pictures have so few colours that they must be label maps."""
    if options.labels != "auto" or laid.layout in ("classes", "flat"):
        return (options.labels,) if options.labels in DOMAINS else ()
    halved = laid.layout == "side_by_side"
    palettes = {
        domain: [survey.facts[name]["palettes"][index if halved else 0] for name in laid.piles[0 if halved else index]]
        for index, domain in enumerate(DOMAINS)
    }
    return tuple(
        domain
        for domain, colours in palettes.items()
        if None not in colours and 1 < len({one for picture in colours for one in picture}) <= MAX_DOMAIN_PALETTE
    )


def build_report(
    laid: ArchiveLayout, survey: Survey, index: ArchiveIndex, pictures: int, size: int, sha256: str
) -> Report:
    """Build the report on a dataset; `pictures` counts those in the archive, also unused ones."""
    halved = laid.layout == "side_by_side"
    facts = [survey.facts[name] | {"name": laid.called(name)} for name in laid.pictures]
    sizes = [_size(fact, halved) for fact in facts]
    edges = [min(size) for size in sizes]
    side = default_side(sizes, 1 if laid.layout in ("classes", "flat") else TRANSLATOR_MULTIPLE)
    grey = sum(fact["grey"] for fact in facts)
    channels = 1 if grey == len(facts) else 3
    counts = Counter(laid.labels or ())
    classes = [Class(name, counts[number]) for number, name in enumerate(laid.classes)]
    cut = median(1 - min(size) / max(size) for size in sizes) if index.fit == "crop" else 0.0
    description = describe(
        Preparation(side, channels, index.fit, reading=index.reading), halved=halved, labels=index.nearest
    )
    skipped = [Corrupt(fact["name"], note) for fact in facts for note in fact["notes"]]
    return Report(
        layout=laid.layout,
        pictures=len(facts),
        left_out=pictures - len(facts),
        archive_bytes=size,
        archive_sha256=sha256,
        width=_span([fact["width"] for fact in facts]),
        height=_span([fact["height"] for fact in facts]),
        formats=dict(sorted(Counter(fact["format"] for fact in facts).items())),
        grey=grey,
        colour=len(facts) - grey,
        alpha=sum(fact["alpha"] for fact in facts),
        sixteen_bit=sum(fact["deep"] for fact in facts),
        shorter_edge=int(median(edges)),
        enlarged=sum(edge < side for edge in edges),
        classes=Listed.of(classes),
        balance=round(min(counts.values()) / max(counts.values()), 4) if classes else None,
        piles=_piles(laid),
        corrupt=Listed.of(Corrupt(laid.called(name), reason) for name, reason in survey.reasons.items()),
        near_constant=Listed.of(_sorted(fact["name"] for fact in facts if fact["flat"])),
        duplicates=Listed.of(_duplicates(facts)),
        ignored=Listed.of(laid.called(name) for name in laid.ignored),
        notes=[*laid.notes, *advice.notes(laid, survey.facts, facts, index, cut, median(edges))],
        transform=Transform(**description),
        held_out=0 if laid.held is None else len(_of(laid.held.piles)),
        cut=round(cut, 4),
        profiles=dict(sorted(Counter(fact["profile"] for fact in facts if fact["profile"]).items())),
        skipped=Listed.of(skipped),
        folders=dict(zip(DOMAINS, laid.folders, strict=False)),
    )


def default_side(sizes: Sequence[tuple[int, int]], step: int = 1) -> int:
    """Return the shared side of square pictures if it is small and a multiple of `step`.

    Otherwise return the largest of DEFAULT_SIDES up to the median shorter edge, or the smallest of them.
    """
    shared = sizes[0][0]
    if MIN_SHARED_SIDE <= shared <= DEFAULT_SIDES[-1] and shared % step == 0 and set(sizes) == {(shared, shared)}:
        return shared
    middle = median(min(size) for size in sizes)
    return max([side for side in DEFAULT_SIDES if side <= middle], default=DEFAULT_SIDES[0])


def _of(piles: MemberLists) -> list[str]:
    return [name for pile in piles for name in pile]


def _size(fact: Facts, halved: bool) -> tuple[int, int]:
    width, height = int(fact["width"]), int(fact["height"])
    return (width // 2 if halved else width), height


def _span(values: Sequence[int]) -> Span:
    return Span(min(values), float(median(values)), max(values))


def _piles(laid: ArchiveLayout) -> dict[str, int]:
    match laid.layout:
        case "side_by_side":
            return dict.fromkeys(DOMAINS, len(laid.piles[0]))
        case "unpaired" | "paired":
            return {name: len(pile) for name, pile in zip(DOMAINS, laid.piles, strict=True)}
    return {}


def _duplicates(facts: Sequence[Facts]) -> list[list[str]]:
    """Return groups of pictures with equal pixels."""
    groups: dict[str, list[str]] = {}
    for fact in facts:
        groups.setdefault(fact["hash"], []).append(fact["name"])
    duplicates = [_sorted(group) for group in groups.values() if len(group) > 1]
    return sorted(duplicates, key=lambda group: natural_key(group[0]))


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=natural_key)
