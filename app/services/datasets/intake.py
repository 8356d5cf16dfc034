"""Turn an uploaded zip into a dataset: survey it in a child process, report, store, then name it."""

import time
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np

from app.core.errors import FieldError, Invalid, refused_file
from app.core.limiter import Gate
from app.core.limits import INTAKE_CPU_S, INTAKE_CPU_S_PER_MB, READING_CPU_S
from app.core.logging import get_logger
from app.core.sandbox.parent import Overran, Sandbox
from app.core.settings import Settings
from app.core.store import Store, sha256_of
from app.services.datasets import catalog
from app.services.datasets.catalog import Detail
from data.archive import ArchiveIndex, MemberPart
from data.errors import Refused
from data.images import encode, sheet
from data.uploads import read_untrusted
from data.uploads.layout import ArchiveLayout, RequestedLayout, infer_layout
from data.uploads.members import Listing, sort_members
from data.uploads.read_untrusted import SurveyOptions
from data.uploads.report import Report
from data.uploads.survey import Facts, Survey, UploadOptions, build_index, build_report
from models.spec.datasets import DataKind, DatasetInfo

log = get_logger(__name__)

AT_ONCE = 4
"""uploads that may have a place at the gate"""
CHUNK = 256
SHEET_ROWS = 8
SHEET_COLUMNS = 8
SHEET_CELL = 64
"""pixels of a side that small pictures are enlarged to on the contact sheet"""
Place = tuple[str, int | None] | None
"""on the contact sheet: a member and which half of it, None for all of it; no place is empty"""
_LISTING_S = 60.0
_SURVEY_CPU_S = read_untrusted.SURVEY_S + READING_CPU_S
_READING_S = 30.0
_KINDS: dict[str, DataKind] = {
    "classes": "images", "flat": "images", "unpaired": "unpaired", "paired": "paired", "side_by_side": "paired",
}  # fmt: skip


class Intake:
    """One per API process, with a child of its own, so that translations need not wait for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.artifacts)
        self._sandbox = Sandbox(1, readable=(settings.incoming,))
        full = f"{AT_ONCE} datasets are being uploaded already. Send this one later."
        self.gate = Gate(AT_ONCE, full, retry_after=30)
        self.folder = settings.incoming

    def close(self) -> None:
        self._sandbox.close()

    def take(self, path: Path, name: str, asked: RequestedLayout, wish: UploadOptions | None = None) -> Detail:
        """Raises Conflict where the name is taken, else Invalid or UnsupportedMedia; then nothing is kept."""
        catalog.require_free(name)
        try:
            self._take(path, name, asked, wish or UploadOptions())
            return catalog.find(name)
        finally:
            self._forget()

    def _forget(self) -> None:
        """What became of the upload is decided already: a child that breaks over this changes nothing."""
        try:
            self._sandbox.run(read_untrusted.close_archives)
        except Exception:
            log.warning("archive_not_forgotten", exc_info=True)

    def _take(self, path: Path, name: str, asked: RequestedLayout, wish: UploadOptions) -> None:
        laid = self._laid(path, asked)
        survey = self._survey(path, laid, wish)
        used = _readable(laid, survey)
        index = build_index(used, survey, wish)
        report = build_report(used, survey, index, len(laid.pictures), path.stat().st_size, sha256_of(path))
        info = _info(name, used, report, index)
        drawn = self._sheet(path, used, info, index)
        catalog.require_free(name)  # taken meanwhile, perhaps; what is put from here on stays until a sweep
        catalog.add(
            info,
            report,
            index_sha256=self._store.put_bytes(index.to_bytes()),
            sheet_sha256=self._store.put_bytes(drawn),
            archive_sha256=self._store.put_file(path),  # last, so that a full disk is left little to sweep
        )

    def _laid(self, path: Path, asked: RequestedLayout) -> ArchiveLayout:
        limits = self._settings.max_dataset_members, self._settings.max_dataset_unpacked_bytes
        listing = Listing(**self._listed(read_untrusted.members, path, *limits))
        try:
            tables = list(sort_members(listing).tables)
            return infer_layout(listing, asked, self._listed(read_untrusted.tables, path, tables) if tables else {})
        except Refused as error:
            raise refused_file(error) from None

    def _listed(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._sandbox.run(function, *args, seconds=_LISTING_S, cpu_seconds=_LISTING_S, code="unreadable_archive")

    def _survey(self, path: Path, laid: ArchiveLayout, wish: UploadOptions) -> Survey:
        """Facts about the readable pictures, and the others with the reason."""
        until = time.monotonic() + self._settings.max_intake_seconds
        looking = SurveyOptions(
            self._settings.max_pixels,
            halved=laid.layout == "side_by_side",
            palettes=_KINDS[laid.layout] != "images" and wish.labels == "auto",
            reading=wish.reading,
        )
        names, facts, alone = laid.members, list[Facts](), 0
        cpu_s, most_cpu_s = 0.0, INTAKE_CPU_S + INTAKE_CPU_S_PER_MB * path.stat().st_size / 1e6
        while len(facts) < len(names):
            if time.monotonic() > until:
                raise _too_long(f"{self._settings.max_intake_seconds} s (max_intake_seconds)", len(facts), len(names))
            if cpu_s > most_cpu_s:
                bound = f"{most_cpu_s:.0f} s of processor time (intake_cpu_seconds)"
                raise _too_long(bound, len(facts), len(names))
            start = len(facts)
            count = 1 if start < alone else CHUNK
            try:
                found, took_s = self._look(path, names[start : start + count], looking)
                facts += found
                cpu_s += took_s
            except Overran as error:
                cpu_s += READING_CPU_S
                if count == 1:
                    facts.append({"name": names[start], "reason": error.detail})
                alone = max(alone, start + CHUNK)  # which of them it was shows when each is looked at by itself
        return Survey(
            {fact["name"]: fact for fact in facts if "reason" not in fact},
            {fact["name"]: fact["reason"] for fact in facts if "reason" in fact},
        )

    def _look(self, path: Path, names: Sequence[str], looking: SurveyOptions) -> tuple[list[Facts], float]:
        args = path, names, looking
        found, took_s = self._sandbox.run(read_untrusted.survey, *args, seconds=_READING_S, cpu_seconds=_SURVEY_CPU_S)
        return found, took_s

    def _sheet(self, path: Path, laid: ArchiveLayout, info: DatasetInfo, index: ArchiveIndex) -> bytes:
        """A PNG of pictures as training will see them, each read by itself, small ones enlarged by whole pixels."""
        places, columns = sheet_plan(laid)
        cells = np.zeros((len(places), info.side, info.side, info.channels), np.uint8)
        second = set(laid.piles[-1]) if len(laid.piles) > 1 else set[str]()
        for cell, place in zip(cells, places, strict=True):
            if place is not None:
                name, half = place
                how = index.preparation(int(name in second) if half is None else half, info.side, info.channels)
                args = path, MemberPart(name, half, index.middle(name)), how
                cell[:] = self._sandbox.run(read_untrusted.prepared, *args, seconds=_READING_S)
        scale = max(1, SHEET_CELL // info.side)
        return encode(sheet(cells.repeat(scale, 1).repeat(scale, 2), columns, gap=2))


def sheet_plan(laid: ArchiveLayout) -> tuple[list[Place], int]:
    """What stands on the contact sheet, row by row, and how many columns it has.

    A row is a class, or pictures of a and then of b, or pairs of both, or simply pictures.
    """
    places = SHEET_ROWS * SHEET_COLUMNS
    first = laid.piles[0]
    match laid.layout:
        case "classes":
            piles = [[name for name, label in zip(first, laid.labels or (), strict=True) if label == number]
                     for number in range(min(len(laid.classes), SHEET_ROWS))]  # fmt: skip
            return list(chain.from_iterable(_row(pile, SHEET_COLUMNS) for pile in piles)), SHEET_COLUMNS
        case "flat":
            spread = _spread(first, places)
            return [(name, None) for name in spread], min(SHEET_COLUMNS, len(spread))
        case "side_by_side":
            spread = _spread(first, places // 2)
            return [(name, half) for name in spread for half in (0, 1)], min(SHEET_COLUMNS, 2 * len(spread))
        case "paired":
            pairs = _spread(list(zip(*laid.piles, strict=True)), places // 2)
            return [(name, None) for pair in pairs for name in pair], min(SHEET_COLUMNS, 2 * len(pairs))
    half = SHEET_COLUMNS // 2
    a, b = (_spread(pile, SHEET_ROWS * half) for pile in laid.piles)
    starts = range(0, max(len(a), len(b)), half)
    rows = (_row(pile[start : start + half], half) for start in starts for pile in (a, b))
    return list(chain.from_iterable(rows)), SHEET_COLUMNS


def _row(pile: Sequence[str], columns: int) -> list[Place]:
    picks: list[Place] = [(name, None) for name in _spread(pile, columns)]
    return [*picks, *repeat(None, columns - len(picks))]


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """At most so many, evenly over all."""
    if len(items) <= count:
        return list(items)
    return [items[number * len(items) // count] for number in range(count)]


def _readable(laid: ArchiveLayout, survey: Survey) -> ArchiveLayout:
    """Without what cannot be read. Raises Invalid where too little is left."""
    used = laid.without(set(survey.reasons))
    emptied = [name for number, name in enumerate(used.classes) if number not in set(used.labels or ())]
    if all(used.piles) and not emptied:
        return used
    where = f"the class '{emptied[0]}'" if emptied and used.pictures else "the zip" if not used.pictures else "a pile"
    worst, reason = next(iter(survey.reasons.items()))
    sentence = f"No picture of {where} can be read; '{laid.called(worst)[:80]}': {reason}"
    raise Invalid(sentence, code="no_pictures", errors=(FieldError("/file", sentence),))


def _info(name: str, laid: ArchiveLayout, report: Report, index: ArchiveIndex) -> DatasetInfo:
    examples = [len(index.picks(index.train, pile)) for pile in range(len(laid.piles))]
    return DatasetInfo(
        name=name,
        title=f"Uploaded: {name}",
        kind=_KINDS[laid.layout],
        side=report.transform.side,
        channels=report.transform.channels,
        class_names=laid.classes,
        size=sum(examples) if laid.layout == "unpaired" else examples[0],
        source=f"an uploaded zip of {report.archive_bytes} bytes, sha256 {report.archive_sha256}",
        uploaded=True,
        shorter_edge=report.shorter_edge,
    )


def _too_long(bound: str, done: int, total: int) -> Invalid:
    sentence = f"Reading the pictures takes more than {bound}: {done} of {total} were read. Send fewer or smaller ones."
    return Invalid(sentence, code="archive_limit", errors=(FieldError("/file", sentence),))
