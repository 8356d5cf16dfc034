"""Turn an uploaded zip into a dataset: survey its pictures in a sandbox, build the report, and store the files."""

import time
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np

from app.core.concurrency import Limiter
from app.core.errors import FieldError, Invalid, file_refusal
from app.core.limits import INTAKE_CPU_S, INTAKE_CPU_S_PER_MB, PICTURE_CPU_S
from app.core.logging import get_logger
from app.core.sandbox.parent import Overran, Sandbox
from app.core.settings import Settings
from app.core.store import Store, sha256_of
from app.services.datasets import catalog
from app.services.datasets.catalog import CatalogEntry
from data.archive import ArchiveIndex, MemberPart
from data.errors import Refused
from data.images import encode, sheet
from data.levels import to_bits
from data.uploads import read_untrusted
from data.uploads.layout import ArchiveLayout, RequestedLayout, infer_layout
from data.uploads.members import Listing, sort_members
from data.uploads.read_untrusted import SurveyOptions
from data.uploads.report import Report
from data.uploads.survey import Facts, Survey, UploadOptions, build_index, build_report
from models.spec.datasets import DataKind, DatasetInfo

log = get_logger(__name__)

MAX_UPLOADS = 4
"""uploads that may run at a time"""
PICTURES_PER_CALL = 256
SHEET_ROWS = 8
SHEET_COLUMNS = 8
SHEET_CELL_PX = 64
"""side in pixels to which small pictures are enlarged on the contact sheet, about"""
SheetCell = tuple[str, int | None] | None
"""a cell of the contact sheet: a member and the half of it to show, None for all of it; an empty cell is None"""
_LISTING_TIMEOUT_S = 60.0
_SURVEY_CPU_S = read_untrusted.SURVEY_S + PICTURE_CPU_S
_READING_TIMEOUT_S = 30.0
_KINDS: dict[str, DataKind] = {
    "classes": "images", "flat": "images", "unpaired": "unpaired", "paired": "paired", "side_by_side": "paired",
}  # fmt: skip


class Intake:
    """The uploads of one API process. It has its own sandbox, so that translations need not wait for uploads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.artifacts)
        self._sandbox = Sandbox(1, readable=(settings.incoming,))
        full = f"{MAX_UPLOADS} datasets are being uploaded already. Send this one later."
        self.limiter = Limiter(MAX_UPLOADS, full, retry_after=30)
        self.folder = settings.incoming

    def close(self) -> None:
        self._sandbox.close()

    def take(
        self, path: Path, name: str, requested: RequestedLayout, options: UploadOptions | None = None
    ) -> CatalogEntry:
        """Add the zip as a dataset. Raises Conflict if the name is taken, Invalid, UnsupportedMedia or NoRoom.

        If it raises, no dataset is added; the garbage sweep removes stored files.
        """
        catalog.require_free(name)
        try:
            self._add(path, name, requested, options or UploadOptions())
            return catalog.find(name)
        finally:
            self._close_archive()

    def _close_archive(self) -> None:
        """Let the sandbox close the archive. Its failure changes nothing: the result of the upload is settled."""
        try:
            self._sandbox.run(read_untrusted.close_archives)
        except Exception:
            log.warning("archive_not_closed", exc_info=True)

    def _add(self, path: Path, name: str, requested: RequestedLayout, options: UploadOptions) -> None:
        archive_layout = self._infer_layout(path, requested)
        survey = self._survey(path, archive_layout, options)
        used = _readable_layout(archive_layout, survey)
        index = build_index(used, survey, options)
        report = build_report(used, survey, index, len(archive_layout.pictures), path.stat().st_size, sha256_of(path))
        info = _info(name, used, report, index)
        sheet_png = self._sheet(path, used, info, index)
        # The name may have been taken meanwhile. Files that are stored from here on stay until a sweep.
        catalog.require_free(name)
        catalog.add(
            info,
            report,
            index_sha256=self._store.put_bytes(index.to_bytes()),
            sheet_sha256=self._store.put_bytes(sheet_png),
            archive_sha256=self._store.put_file(path),  # last, so that on a full disk little is stored in vain
        )

    def _infer_layout(self, path: Path, requested: RequestedLayout) -> ArchiveLayout:
        limits = self._settings.max_dataset_members, self._settings.max_dataset_unpacked_bytes
        listing = Listing(**self._run_listing(read_untrusted.members, path, *limits))
        try:
            tables = list(sort_members(listing).tables)
            return infer_layout(
                listing, requested, self._run_listing(read_untrusted.tables, path, tables) if tables else {}
            )
        except Refused as error:
            raise file_refusal(error) from None

    def _run_listing(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._sandbox.run(
            function, *args, seconds=_LISTING_TIMEOUT_S, cpu_seconds=_LISTING_TIMEOUT_S, code="unreadable_archive"
        )

    def _survey(self, path: Path, archive_layout: ArchiveLayout, options: UploadOptions) -> Survey:
        """Read all pictures: return facts on the readable ones, and the reasons for the others. Raises Invalid."""
        deadline = time.monotonic() + self._settings.max_intake_seconds
        survey_options = SurveyOptions(
            self._settings.max_pixels,
            halved=archive_layout.layout == "side_by_side",
            palettes=_KINDS[archive_layout.layout] != "images" and options.label_maps == "auto",
            decoding=options.decoding,
        )
        names, facts, singly_until = archive_layout.members, list[Facts](), 0
        cpu_s, max_cpu_s = 0.0, INTAKE_CPU_S + INTAKE_CPU_S_PER_MB * path.stat().st_size / 1e6
        while len(facts) < len(names):
            if time.monotonic() > deadline:
                raise _too_long(f"{self._settings.max_intake_seconds} s (max_intake_seconds)", len(facts), len(names))
            if cpu_s > max_cpu_s:
                bound = f"{max_cpu_s:.0f} s of processor time (intake_cpu_seconds)"
                raise _too_long(bound, len(facts), len(names))
            start = len(facts)
            count = 1 if start < singly_until else PICTURES_PER_CALL
            try:
                read_facts, took_s = self._read_facts(path, names[start : start + count], survey_options)
                facts += read_facts
                cpu_s += took_s
            except Overran as error:
                cpu_s += PICTURE_CPU_S
                if count == 1:
                    facts.append({"name": names[start], "reason": error.detail})
                # Read each of these pictures by itself, to learn which one it was.
                singly_until = max(singly_until, start + PICTURES_PER_CALL)
        return Survey(
            {fact["name"]: fact for fact in facts if "reason" not in fact},
            {fact["name"]: fact["reason"] for fact in facts if "reason" in fact},
        )

    def _read_facts(self, path: Path, names: Sequence[str], survey_options: SurveyOptions) -> tuple[list[Facts], float]:
        args = path, names, survey_options
        facts, took_s = self._sandbox.run(
            read_untrusted.survey, *args, seconds=_READING_TIMEOUT_S, cpu_seconds=_SURVEY_CPU_S
        )
        return facts, took_s

    def _sheet(self, path: Path, archive_layout: ArchiveLayout, info: DatasetInfo, index: ArchiveIndex) -> bytes:
        """Draw the contact sheet as PNG of 8 bits: pictures as a training reads them, small ones enlarged by pixels."""
        sheet_cells, columns = sheet_plan(archive_layout)
        cells = np.zeros((len(sheet_cells), info.side, info.side, info.channels), np.uint8)
        second = set(archive_layout.domains[-1]) if len(archive_layout.domains) > 1 else set[str]()
        for pixels, cell in zip(cells, sheet_cells, strict=True):
            if cell is not None:
                name, half = cell
                how = index.preparation(int(name in second) if half is None else half, info.side, info.channels)
                args = path, MemberPart(name, half, index.middle_tile(name)), how
                pixels[:] = to_bits(self._sandbox.run(read_untrusted.prepared, *args, seconds=_READING_TIMEOUT_S), 8)
        scale = max(1, SHEET_CELL_PX // info.side)
        return encode(sheet(cells.repeat(scale, 1).repeat(scale, 2), columns, gap=2))


def sheet_plan(archive_layout: ArchiveLayout) -> tuple[list[SheetCell], int]:
    """Return the cells of the contact sheet, row by row, and the number of its columns.

    A row shows one class, or pictures of domain a and then of domain b, or pairs of both, or any pictures.
    """
    cell_count = SHEET_ROWS * SHEET_COLUMNS
    first = archive_layout.domains[0]
    match archive_layout.layout:
        case "classes":
            classes = [[name for name, label in zip(first, archive_layout.labels or (), strict=True) if label == number]
                     for number in range(min(len(archive_layout.classes), SHEET_ROWS))]  # fmt: skip
            return list(chain.from_iterable(_row(names, SHEET_COLUMNS) for names in classes)), SHEET_COLUMNS
        case "flat":
            names = _evenly_spaced(first, cell_count)
            return [(name, None) for name in names], min(SHEET_COLUMNS, len(names))
        case "side_by_side":
            names = _evenly_spaced(first, cell_count // 2)
            return [(name, half) for name in names for half in (0, 1)], min(SHEET_COLUMNS, 2 * len(names))
        case "paired":
            pairs = _evenly_spaced(list(zip(*archive_layout.domains, strict=True)), cell_count // 2)
            return [(name, None) for pair in pairs for name in pair], min(SHEET_COLUMNS, 2 * len(pairs))
    half = SHEET_COLUMNS // 2
    a, b = (_evenly_spaced(domain, SHEET_ROWS * half) for domain in archive_layout.domains)
    starts = range(0, max(len(a), len(b)), half)
    rows = (_row(domain[start : start + half], half) for start in starts for domain in (a, b))
    return list(chain.from_iterable(rows)), SHEET_COLUMNS


def _row(names: Sequence[str], columns: int) -> list[SheetCell]:
    cells: list[SheetCell] = [(name, None) for name in _evenly_spaced(names, columns)]
    return [*cells, *repeat(None, columns - len(cells))]


def _evenly_spaced(items: Sequence[Any], count: int) -> list[Any]:
    """Return at most `count` items, evenly spaced over all."""
    if len(items) <= count:
        return list(items)
    return [items[number * len(items) // count] for number in range(count)]


def _readable_layout(archive_layout: ArchiveLayout, survey: Survey) -> ArchiveLayout:
    """Return the layout without unreadable pictures. Raises Invalid if a class or a domain becomes empty."""
    used = archive_layout.without(set(survey.reasons))
    empty_classes = [name for number, name in enumerate(used.classes) if number not in set(used.labels or ())]
    if all(used.domains) and not empty_classes:
        return used
    where = (
        f"the class '{empty_classes[0]}'"
        if empty_classes and used.pictures
        else "the zip"
        if not used.pictures
        else "a domain or side"
    )
    member, reason = next(iter(survey.reasons.items()))
    sentence = f"No picture of {where} can be read; '{archive_layout.path_of(member)[:80]}': {reason}"
    raise Invalid(sentence, code="no_pictures", errors=(FieldError("/file", sentence),))


def _info(name: str, archive_layout: ArchiveLayout, report: Report, index: ArchiveIndex) -> DatasetInfo:
    examples = [len(index.examples(index.train, domain)) for domain in range(len(archive_layout.domains))]
    return DatasetInfo(
        name=name,
        title=f"Uploaded: {name}",
        kind=_KINDS[archive_layout.layout],
        side=report.transform.side,
        channels=report.transform.channels,
        class_names=archive_layout.classes,
        size=sum(examples) if archive_layout.layout == "unpaired" else examples[0],
        source=f"an uploaded zip of {report.archive_bytes} bytes, sha256 {report.archive_sha256}",
        uploaded=True,
        shorter_edge=report.shorter_edge,
        bits=index.decoding.bits,
    )


def _too_long(bound: str, done: int, total: int) -> Invalid:
    sentence = f"Reading the pictures takes more than {bound}: {done} of {total} were read. Send fewer or smaller ones."
    return Invalid(sentence, code="archive_limit", errors=(FieldError("/file", sentence),))
