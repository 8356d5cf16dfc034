"""From facts about single pictures to the report on all of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from app.core.reports import Class, Corrupt, Listed, Report, Span, Transform
from app.services.layouts import Laid, natural_key
from models.archive import PILES
from models.preparing import described

Facts = dict[str, Any]
SIDES = (16, 32, 64)
"""what a dataset's own side is chosen from"""


def report(
    laid: Laid, facts: Sequence[Facts], corrupt: Iterable[Corrupt], left_out: int, size: int, sha256: str
) -> Report:
    """`facts` are those of the pictures that `laid` uses, in any order."""
    halved = laid.layout == "side_by_side"
    edges = [_shorter_edge(fact, halved) for fact in facts]
    side = default_side(edges)
    grey = sum(fact["grey"] for fact in facts)
    channels = 1 if grey == len(facts) else 3
    counts = Counter(laid.labels or ())
    classes = [Class(name, counts[number]) for number, name in enumerate(laid.classes)]
    return Report(
        layout=laid.layout,
        pictures=len(facts),
        left_out=left_out,
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
        corrupt=Listed.of(corrupt),
        near_constant=Listed.of(_sorted(fact["name"] for fact in facts if fact["flat"])),
        duplicates=Listed.of(_duplicates(facts)),
        ignored=Listed.of(laid.ignored),
        notes=list(laid.notes),
        transform=Transform(**described(side, channels, halved=halved)),
    )


def default_side(shorter_edges: Sequence[int]) -> int:
    """The largest of SIDES that is not above the median, or the least of them."""
    middle = median(shorter_edges)
    return max([side for side in SIDES if side <= middle], default=SIDES[0])


def _shorter_edge(fact: Facts, halved: bool) -> int:
    width, height = int(fact["width"]), int(fact["height"])
    return min(width // 2 if halved else width, height)


def _span(values: Sequence[int]) -> Span:
    return Span(min(values), float(median(values)), max(values))


def _piles(laid: Laid) -> dict[str, int]:
    match laid.layout:
        case "side_by_side":
            return dict.fromkeys(PILES, len(laid.piles[0]))
        case "unpaired" | "paired":
            return {name: len(pile) for name, pile in zip(PILES, laid.piles, strict=True)}
    return {}


def _duplicates(facts: Sequence[Facts]) -> list[list[str]]:
    """Groups of pictures whose pixels are equal."""
    groups: dict[str, list[str]] = {}
    for fact in facts:
        groups.setdefault(fact["hash"], []).append(fact["name"])
    found = [_sorted(group) for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda group: natural_key(group[0]))


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=natural_key)
