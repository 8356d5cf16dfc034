"""Find the training pictures that are nearest to a picture, to see whether a model has memorised them. No torch.

Pictures of built-in datasets are read in a child process, which keeps those of the last dataset. Those of an upload
are in the prepared file that the trainings at that side and number of channels have left.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from anyio import CapacityLimiter, to_thread

from app.core.concurrency import Limiter
from app.core.errors import Conflict, FieldError, Invalid
from app.core.limits import MAX_SEARCHED_BYTES
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from app.services.datasets import catalog
from data.archive import ArchiveIndex, prepared_name
from data.levels import Pixels
from data.nearest import nearest, typical_distance
from data.readers import all_pictures
from models.spec.data import Images
from models.spec.datasets import DatasetInfo

MAX_SEARCHES = 16
"""searches that run or wait at the same time"""
SEARCH_S = 60.0
"""seconds, also of processor time, in which a dataset must be read and searched"""
CHILD_BYTES = 2 << 30
"""memory of the child: MAX_SEARCHED_BYTES, the dataset's files, and what is compared at a time"""


@dataclass(frozen=True, eq=False)
class Found:
    """The nearest pictures [n, side, side, channels], their numbers, distances and classes (None: no classes).

    `typical` is the median distance of real pictures to the nearest other one; `searched` counts all pictures.
    """

    pictures: Pixels
    rows: list[int]
    distances: list[float]
    labels: list[int | None]
    typical: float | None
    searched: int


class NearestPictures:
    """The child of one API process that searches built-in datasets; it starts when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._child = Sandbox(1, CHILD_BYTES, readable=(Path("/"),), module="data.readers.all_pictures")
        self._threads = CapacityLimiter(1)
        full = f"{MAX_SEARCHES} searches for nearest pictures run or wait already. Send this one later."
        self._limiter = Limiter(MAX_SEARCHES, full, retry_after=5)

    def close(self) -> None:
        self._child.close()

    async def search(self, info: DatasetInfo, spec: Images, query: Pixels, n: int) -> Found:
        """Return the `n` training pictures nearest to `query`, levels [side, side, channels] of `spec`.

        Raises Invalid if the dataset is too large at that size; Conflict if its files are missing or damaged, or if
        an upload was not prepared at that size; and Busy.
        """
        _require_room(info, spec)
        with self._limiter.place():
            return await to_thread.run_sync(self._search, info, spec, query, n, limiter=self._threads)

    def _search(self, info: DatasetInfo, spec: Images, query: Pixels, n: int) -> Found:
        return (
            _search_upload(self._settings, spec, query, n) if info.uploaded else self._search_built_in(spec, query, n)
        )

    def _search_built_in(self, spec: Images, query: Pixels, n: int) -> Found:
        args = spec, query, n, self._settings.data, self._settings.home / "data"
        limits = {"seconds": SEARCH_S, "cpu_seconds": SEARCH_S}
        try:
            pictures, facts = self._child.run(all_pictures.search, *args, **limits, code="too_much", pointer="")
        except Invalid as error:
            raise Conflict(error.detail, code=error.code) from None
        return Found(pictures, **facts)


def _search_upload(settings: Settings, spec: Images, query: Pixels, n: int) -> Found:
    files = catalog.files(spec.dataset)
    if files is None:
        raise catalog.not_found(spec.dataset)
    path = settings.prepared / prepared_name(files.archive.name, files.index.name, "a", spec)
    try:
        # [N, channels, side, side]
        pictures: Pixels = np.load(path, mmap_mode="r")
        index = ArchiveIndex.from_bytes(files.index.read_bytes())
    except FileNotFoundError:
        raise _not_prepared(spec) from None
    labels = index.labels(index.train)
    found = nearest(pictures, query.transpose(2, 0, 1)[None], n)
    rows = found.rows[0].tolist()
    return Found(
        pictures[rows].transpose(0, 2, 3, 1),
        rows,
        found.distances[0].tolist(),
        [None if labels is None else labels[row] for row in rows],
        _typical(path),
        len(pictures),
    )


@lru_cache(32)
def _typical(path: Path) -> float | None:
    """Return the typical distance of a prepared file, whose name identifies its content."""
    return typical_distance(np.load(path, mmap_mode="r"))


def _require_room(info: DatasetInfo, spec: Images) -> None:
    size: int = info.size * spec.side**2 * spec.channels * spec.bits // 8
    if size > MAX_SEARCHED_BYTES:
        sentence = (
            f"'{info.name}' at {spec.side} x {spec.side} pixels has {size} bytes; {MAX_SEARCHED_BYTES} are searched at "
            "most (searched_bytes). Send a smaller picture."
        )
        raise Invalid(sentence, code="too_much", errors=(FieldError("/file", sentence),))


def _not_prepared(spec: Images) -> Conflict:
    colours = "colour" if spec.channels > 1 else "grey"
    sentence = (
        f"'{spec.dataset}' was never prepared at {spec.side} x {spec.side} pixels in {colours}. Send a picture of a "
        "model that was trained on it, or train one at this size first."
    )
    return Conflict(sentence, code="not_prepared")
