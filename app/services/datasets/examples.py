"""Read a few examples of a dataset as training sees them, in child processes, without torch.

Uploaded archives are untrusted: the child that reads one can read no other file. The files of built-in datasets belong
to the machine's owner and may be links to any place: their child can read all files, and has no other rights either.
"""

import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from anyio import CapacityLimiter, to_thread
from numpy.typing import NDArray

from app.core.concurrency import Limiter
from app.core.errors import Conflict, FieldError, ForgerError, Invalid, UnsupportedMedia
from app.core.limits import PICTURE_CPU_S
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from app.services.datasets import catalog
from data.archive import ArchiveIndex, MemberPart
from data.decode import Fault, UnreadablePicture
from data.prepare import Preparation
from data.readers import examples
from data.readers.base import DatasetMissing
from data.readers.examples import MISSING, Choice
from data.uploads import read_untrusted
from models.spec.data import DataSpec, Images, Paired, Unpaired
from models.spec.datasets import DatasetInfo

Array = NDArray[Any]
MAX_READING = 16
"""requests whose examples are read, or wait for it, at the same time"""
READING_S = 30.0
"""seconds in which the examples of one request must be read"""
BATCH_CPU_S = read_untrusted.BATCH_S + PICTURE_CPU_S


class Examples:
    """The children of one API process that read examples; each starts when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._built_in = Sandbox(1, readable=(Path("/"),), module="data.readers.examples")
        self._upload_lock = Lock()
        self._archive: Path | None = None
        """the archive that `_upload` can read"""
        self._upload = Sandbox(1)
        self._threads = CapacityLimiter(2)
        full = f"Examples of datasets are being read for {MAX_READING} requests already. Send this one later."
        self._limiter = Limiter(MAX_READING, full, retry_after=5)

    def close(self) -> None:
        self._built_in.close()
        self._upload.close()

    async def read(self, info: DatasetInfo, choice: Choice, spec: DataSpec) -> Array:
        """Return the chosen examples of the training split, as networks of a recipe with that `spec` see them.

        Pictures are levels [n, side, side, channels], points float [n, dimension], strings int64 [n, length].
        Raises Conflict with the code MISSING if files are missing or damaged, and Busy.
        """
        with self._limiter.place():
            return await to_thread.run_sync(self._read, info, choice, spec, limiter=self._threads)

    def _read(self, info: DatasetInfo, choice: Choice, spec: DataSpec) -> Array:
        try:
            return self._read_upload(info, choice, spec) if info.uploaded else self._read_built_in(choice, spec)
        except DatasetMissing as error:
            raise Conflict(str(error), code=MISSING) from None

    def _read_built_in(self, choice: Choice, spec: DataSpec) -> Array:
        args = spec, choice, self._settings.data, self._settings.home / "data"
        try:
            return np.asarray(self._built_in.run(examples.read, *args, seconds=READING_S, cpu_seconds=READING_S))
        except Invalid as error:
            raise DatasetMissing(error.detail) from None

    def _read_upload(self, info: DatasetInfo, choice: Choice, spec: DataSpec) -> Array:
        files = catalog.files(info.name)
        assert isinstance(spec, Images | Unpaired | Paired)
        if files is None:
            raise catalog.not_found(info.name)
        try:
            files.archive.stat()
            index = ArchiveIndex.from_bytes(files.index.read_bytes())
        except FileNotFoundError as error:
            raise _damaged(info.name, error) from None
        members, labels = index.examples(index.train, choice.domain_number), index.labels(index.train)
        chosen = examples.rows(choice, len(members), None if labels is None else np.array(labels), info.classes)
        # A picture that comes twice is read once, and tiles of one picture one after the other.
        distinct, positions = np.unique(chosen, return_inverse=True)
        preparation = index.preparation(choice.domain_number, spec.prepared_side, spec.channels)
        try:
            with self._upload_lock:
                pictures = self._prepared(files.archive, [members[row] for row in distinct], preparation)
        except UnreadablePicture as error:
            raise _damaged(info.name, error) from None
        margin = (spec.prepared_side - spec.side) // 2
        centre = slice(margin, margin + spec.side)
        return pictures[positions, centre, centre]

    def _prepared(self, archive: Path, members: list[MemberPart], preparation: Preparation) -> Array:
        """Return the pictures [n, side, side, channels]. Raises UnreadablePicture; Invalid if it takes long."""
        if archive != self._archive:
            self._upload.close()
            self._archive, self._upload = archive, Sandbox(1, readable=(archive,))
        until, parts, done = time.monotonic() + READING_S, list[Array](), 0
        try:
            while done < len(members):
                if time.monotonic() > until:
                    raise _too_slow(len(members))
                parts.append(self._batch(archive, members[done:], preparation))
                done += len(parts[-1])
        finally:
            # A deleted dataset would keep its disk space.
            with suppress(ForgerError):
                self._upload.run(read_untrusted.close_archives)
        return np.concatenate(parts)

    def _batch(self, *args: Any) -> Array:
        try:
            pictures = self._upload.run(read_untrusted.batch, *args, seconds=READING_S, cpu_seconds=BATCH_CPU_S)
            return np.asarray(pictures)
        except (Invalid, UnsupportedMedia) as error:
            raise UnreadablePicture(Fault.DAMAGED, error.detail) from None


def _too_slow(count: int) -> Invalid:
    sentence = f"Reading {count} pictures takes longer than {READING_S:g} s: request fewer."
    return Invalid(sentence, code="too_much", errors=(FieldError("/n", sentence),))


def _damaged(name: str, error: Exception) -> DatasetMissing:
    return DatasetMissing(
        f"The files of '{name}' are missing or damaged ({error}). Upload it again under another name."
    )
