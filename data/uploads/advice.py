"""Write notes on a dataset for its owner: what is lost, what was guessed, and what makes training difficult."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from data.archive import DOMAINS, ArchiveIndex
from data.uploads.layout import ArchiveLayout
from models.spec.datasets import CROP_SIDE, PHOTOGRAPH_EDGE

Facts = Mapping[str, Any]
MIN_PICTURES = 16
"""number of pictures of a domain below which training memorises them"""
NOTED_CUT = 0.25
"""share of the median picture outside its centre square above which a note is written"""
ASPECT_TOLERANCE = 0.03
"""relative difference of the aspect ratios of a pair above which a note is written"""
MAX_16_BIT = 65535


def notes(
    archive_layout: ArchiveLayout,
    facts_by_member: Mapping[str, Facts],
    facts: Sequence[Facts],
    index: ArchiveIndex,
    cut: float,
    edge: float,
) -> Iterable[str]:
    """Yield the notes. `facts` are those of the used pictures; `facts_by_member` also holds those of other members.

    `cut` is the share of the median picture outside its centre square, `edge` the median shorter edge in px.
    """
    yield from _too_few(archive_layout)
    yield from _crops(archive_layout, edge)
    yield from _too_similar(facts)
    yield from _depths(facts, index)
    yield from _colours(facts)
    if cut > NOTED_CUT:
        yield (
            f"The centre square cuts away {cut:.0%} of the median picture. "
            "Upload with fit=pad to keep all of it in a white square, or fit=tiles to cut it into squares."
        )
    yield from _shapes(archive_layout, facts_by_member)
    for domain in index.label_maps:
        yield (
            f"Pictures of '{domain}' have few colours and are resized as label maps, by nearest. "
            "Upload with labels=none if they are not label maps."
        )
    if archive_layout.layout == "flat" and all(fact["width"] == 2 * fact["height"] for fact in facts):
        yield (
            "All pictures are twice as wide as high. If they are pairs side by side, upload with layout=side_by_side."
        )


def _too_few(archive_layout: ArchiveLayout) -> Iterable[str]:
    names = DOMAINS if len(archive_layout.domains) == 2 else ("",)
    for name, domain in zip(names, archive_layout.domains, strict=True):
        if len(domain) < MIN_PICTURES:
            where = f" in '{name}'" if name else ""
            count = "is one picture" if len(domain) == 1 else f"are {len(domain)} pictures"
            yield f"There {count}{where}: training memorises so few and generates little else."


def _crops(archive_layout: ArchiveLayout, edge: float) -> Iterable[str]:
    """Yield a note if translators are trained on crops instead of the square that `transform` describes."""
    if archive_layout.layout not in ("classes", "flat") and edge >= PHOTOGRAPH_EDGE:
        crops = f"random crops of {CROP_SIDE} px at their own scale"
        yield f"These are photographs: by default translators learn from {crops}."


def _too_similar(facts: Sequence[Facts]) -> Iterable[str]:
    flat = sum(fact["flat"] for fact in facts)
    if flat == len(facts):
        yield "All pictures are nearly constant: there is nothing to learn from them."
    if len(facts) > 1 and len({fact["hash"] for fact in facts}) == 1:
        yield f"All {len(facts)} pictures are equal: they count as one."


def _depths(facts: Sequence[Facts], index: ArchiveIndex) -> Iterable[str]:
    """Yield a note if 16-bit samples seem to use fewer bits, and no file states how many."""
    reach = max((fact["reach"] for fact in facts if fact["reach"] is not None), default=MAX_16_BIT)
    bits = max(8, reach.bit_length())
    if index.decoding.depth is None and bits <= 14:
        as_bits = min((depth for depth in (10, 12, 14) if depth >= bits), default=14)
        yield (
            f"Of pictures with 16 bits a sample, values reach {reach} of {MAX_16_BIT}: looks like {as_bits} bits, "
            f"and nearly black as it is. Upload with depth={as_bits} if so."
        )


def _colours(facts: Sequence[Facts]) -> Iterable[str]:
    converted = [fact["profile"] for fact in facts if fact["profile"]]
    if converted:
        names = ", ".join(sorted(set(converted))[:3])
        yield f"Colours of {len(converted)} pictures were converted to sRGB by their ICC profiles ({names})."
    if count := sum(bool(fact["notes"]) for fact in facts):
        yield f"{count} pictures have damaged or unusual metadata, which was skipped (`skipped`)."


def _shapes(archive_layout: ArchiveLayout, facts_by_member: Mapping[str, Facts]) -> Iterable[str]:
    if archive_layout.layout != "paired":
        return
    shapes = [
        [facts_by_member[name]["width"] / facts_by_member[name]["height"] for name in pair]
        for pair in zip(*archive_layout.domains, strict=True)
    ]
    odd = [number for number, (a, b) in enumerate(shapes) if abs(a / b - 1) > ASPECT_TOLERANCE]
    if odd:
        first = " and ".join(f"'{archive_layout.path_of(domain[odd[0]])[:80]}'" for domain in archive_layout.domains)
        yield f"{len(odd)} pairs differ in shape, the first is {first}: their squares may not show the same."
