"""Print the report on an uploaded dataset."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.uploads.report import Report, Span

SHOWN = 8
"""entries of a list that are named; --json has more"""


def findings(report: "Report") -> dict[str, object]:
    """A sentence for each thing worth knowing; None where there is nothing to tell."""
    kinds = {
        "grey": report.grey,
        "colour": report.colour,
        "with alpha": report.alpha,
        "of 16 bits": report.sixteen_bit,
        f"smaller than {report.transform.side} px": report.enlarged,
    }
    return {
        "layout": report.layout,
        "pictures": f"{report.pictures} used, {report.left_out} left out",
        "width": _span(report.width),
        "height": _span(report.height),
        "formats": _counts(report.formats),
        "of these": _counts({name: count for name, count in kinds.items() if count}),
        "classes": _classes(report),
        "balance": None if report.balance is None else f"{report.balance:.2f}, the smallest class over the largest",
        "piles": _piles(report) or None,
        "held out": report.held_out or None,
        "damaged": _corrupt(report),
        "turned into sRGB": _counts(report.profiles) or None,
        "passed over": report.skipped.total or None,
        "near constant": _listed(report.near_constant.total, report.near_constant.first),
        "duplicates": _listed(report.duplicates.total, [" = ".join(same) for same in report.duplicates.first]),
        "ignored": _listed(report.ignored.total, report.ignored.first),
        "note": " ".join(report.notes) or None,
        "training sees": "; ".join(report.transform.steps),
    }


def _span(span: "Span") -> str:
    if span.least == span.most:
        return f"{span.least} px"
    return f"{span.least} to {span.most} px, half of them below {span.median:g}"


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counted.items())


def _classes(report: "Report") -> str | None:
    return _listed(report.classes.total, [f"{one.name} ({one.pictures})" for one in report.classes.first])


def _piles(report: "Report") -> str:
    """`a: dusk (41), b: day (40)`; halves of one picture, and piles of older reports, have no folder to name."""
    known = report.folders
    return ", ".join(
        f"{pile}: {known[pile]} ({count})" if pile in known else f"{pile}: {count}"
        for pile, count in report.piles.items()
    )


def _corrupt(report: "Report") -> str | None:
    named = [f"{one.name} ({one.reason.rstrip('.')})" for one in report.corrupt.first]
    return _listed(report.corrupt.total, named)


def _listed(total: int, words: Sequence[str]) -> str | None:
    if not total:
        return None
    more = total - min(SHOWN, len(words))
    return f"{total}: {', '.join(words[:SHOWN])}{f' and {more} more' if more else ''}"
