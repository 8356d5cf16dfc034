"""Summarise facts about single pictures into the index and the report of a dataset."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from data.archive import DOMAINS, ArchiveIndex, MemberLists, SplitMembers
from data.decode import DecodingRules
from data.prepare import Fit, Preparation, describe, tile_count
from data.uploads import advice
from data.uploads.layout import ArchiveLayout, HeldOutSplit
from data.uploads.report import Class, Corrupt, Listed, Report, Span, Transform
from data.uploads.zip_names import natural_key

Facts = dict[str, Any]
DEFAULT_SIDES = (16, 32, 64)
"""possible default sides, in pixels, of a dataset whose pictures do not share one"""
MIN_SHARED_SIDE = 8
"""smallest side that all pictures share and that becomes the default side"""
TRANSLATOR_MULTIPLE = 4
"""default sides of translators' data are multiples of this"""
MAX_DOMAIN_PALETTE = 256
"""most colours of all label maps of a domain together"""


@dataclass(frozen=True)
class UploadOptions:
    """An upload's options for reading and preparing pictures.

    `depth` is the number of significant bits of 16-bit samples; `bits` are those of a sample in training.
    """

    fit: Fit = "crop"
    depth: int | None = None
    label_maps: Literal["auto", "none", "a", "b"] = "auto"
    """the domain whose pictures are label maps; auto: each domain whose pictures have few colours"""

    bits: Literal[8, 16] = 8

    @property
    def decoding(self) -> DecodingRules:
        return DecodingRules(depth=self.depth, bits=self.bits)


@dataclass(frozen=True)
class Survey:
    """Facts about the readable members, and the reasons why others cannot be read."""

    facts: Mapping[str, Facts]
    reasons: Mapping[str, str] = field(default_factory=dict)


def build_index(archive_layout: ArchiveLayout, survey: Survey, options: UploadOptions) -> ArchiveIndex:
    """Build the index of a dataset; `archive_layout` holds readable members only."""
    halved = archive_layout.layout == "side_by_side"
    held_out = (
        None if archive_layout.held_out is None else _members(archive_layout.held_out, survey, options.fit, halved)
    )
    train = _members(archive_layout, survey, options.fit, halved)
    return ArchiveIndex(
        train, held_out, halved, options.fit, _label_maps(archive_layout, survey, options), options.decoding
    )


def _members(split: ArchiveLayout | HeldOutSplit, survey: Survey, fit: Fit, halved: bool) -> SplitMembers:
    return SplitMembers(split.domains, split.labels, _tiles(split, survey, fit, halved) if fit == "tiles" else None)


def _tiles(split: ArchiveLayout | HeldOutSplit, survey: Survey, fit: Fit, halved: bool) -> tuple[tuple[int, ...], ...]:
    """Return the number of squares into which each picture is cut, by domain; of a pair the first decides."""
    counts = tuple(
        tuple(tile_count(*_size(survey.facts[name], halved), fit) for name in domain) for domain in split.domains
    )
    paired = getattr(split, "layout", "") == "paired"
    return (counts[0], counts[0]) if paired else counts


def _label_maps(archive_layout: ArchiveLayout, survey: Survey, options: UploadOptions) -> tuple[str, ...]:
    """Return the domains that the options name, or whose pictures have so few colours that they must be label maps."""
    if options.label_maps != "auto" or archive_layout.layout in ("classes", "flat"):
        return (options.label_maps,) if options.label_maps in DOMAINS else ()
    halved = archive_layout.layout == "side_by_side"
    palettes = {
        domain: [
            survey.facts[name]["palettes"][index if halved else 0]
            for name in archive_layout.domains[0 if halved else index]
        ]
        for index, domain in enumerate(DOMAINS)
    }
    return tuple(
        domain
        for domain, colours in palettes.items()
        if None not in colours and 1 < len({one for picture in colours for one in picture}) <= MAX_DOMAIN_PALETTE
    )


def build_report(
    archive_layout: ArchiveLayout, survey: Survey, index: ArchiveIndex, pictures: int, size: int, sha256: str
) -> Report:
    """Build the report on a dataset.

    `pictures` counts the archive's pictures for training, also unreadable ones. `size` and `sha256` are the archive's.
    """
    halved = archive_layout.layout == "side_by_side"
    facts = [survey.facts[name] | {"name": archive_layout.path_of(name)} for name in archive_layout.pictures]
    sizes = [_size(fact, halved) for fact in facts]
    edges = [min(size) for size in sizes]
    side = default_side(sizes, 1 if archive_layout.layout in ("classes", "flat") else TRANSLATOR_MULTIPLE)
    grey = sum(fact["grey"] for fact in facts)
    channels = 1 if grey == len(facts) else 3
    counts = Counter(archive_layout.labels or ())
    classes = [Class(name, counts[number]) for number, name in enumerate(archive_layout.classes)]
    cut = median(1 - min(size) / max(size) for size in sizes) if index.fit == "crop" else 0.0
    description = describe(
        Preparation(side, channels, index.fit, decoding=index.decoding), halved=halved, label_maps=index.label_maps
    )
    skipped = [Corrupt(fact["name"], note) for fact in facts for note in fact["notes"]]
    return Report(
        layout=archive_layout.layout,
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
        piles=_domain_sizes(archive_layout),
        corrupt=Listed.of(Corrupt(archive_layout.path_of(name), reason) for name, reason in survey.reasons.items()),
        near_constant=Listed.of(_sorted(fact["name"] for fact in facts if fact["flat"])),
        duplicates=Listed.of(_duplicates(facts)),
        ignored=Listed.of(archive_layout.path_of(name) for name in archive_layout.ignored),
        notes=[*archive_layout.notes, *advice.notes(archive_layout, survey.facts, facts, index, cut, median(edges))],
        transform=Transform(**description),
        held_out=0 if archive_layout.held_out is None else len(_all_members(archive_layout.held_out.domains)),
        cut=round(cut, 4),
        profiles=dict(sorted(Counter(fact["profile"] for fact in facts if fact["profile"]).items())),
        skipped=Listed.of(skipped),
        folders=dict(zip(DOMAINS, archive_layout.folders, strict=False)),
    )


def default_side(sizes: Sequence[tuple[int, int]], step: int = 1) -> int:
    """Return the default side, in pixels, of pictures of these widths and heights.

    It is the side that all pictures share if they are square and small, and it is a multiple of `step`. Otherwise it is
    the largest of DEFAULT_SIDES up to the median shorter edge, or the smallest of them.
    """
    shared = sizes[0][0]
    if MIN_SHARED_SIDE <= shared <= DEFAULT_SIDES[-1] and shared % step == 0 and set(sizes) == {(shared, shared)}:
        return shared
    middle = median(min(size) for size in sizes)
    return max([side for side in DEFAULT_SIDES if side <= middle], default=DEFAULT_SIDES[0])


def _all_members(domains: MemberLists) -> list[str]:
    return [name for domain in domains for name in domain]


def _size(fact: Facts, halved: bool) -> tuple[int, int]:
    width, height = int(fact["width"]), int(fact["height"])
    return (width // 2 if halved else width), height


def _span(values: Sequence[int]) -> Span:
    return Span(min(values), float(median(values)), max(values))


def _domain_sizes(archive_layout: ArchiveLayout) -> dict[str, int]:
    match archive_layout.layout:
        case "side_by_side":
            return dict.fromkeys(DOMAINS, len(archive_layout.domains[0]))
        case "unpaired" | "paired":
            return {name: len(domain) for name, domain in zip(DOMAINS, archive_layout.domains, strict=True)}
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
