"""Write files of many pictures: a ZIP of PNG files, or NumPy arrays. Equal pictures give equal bytes."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array, write_array_header_1_0
from numpy.typing import NDArray

from data import csv_text
from data.images import encode
from forger.wire import LABELS, LEFT_OUT

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
MEDIA = {"zip": "application/zip", "npz": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Made:
    """One example: uint8 [h, w, c], or a point or a string; its class, if it has one; its number under that class.

    `name` is that of its file, where it has one of its own; of one that was left out there is the reason alone.
    """

    array: NDArray[Any]
    label: int | None
    index: int
    name: str | None = None
    left_out: str | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes shards. `of` is what the array of the examples is called, `class_names` are of the labels."""

    format: Literal["zip", "npz"]
    of: str
    class_names: Sequence[str]

    def write(self, path: Path, made: Iterable[Made], first: int, count: int) -> None:
        """The next `count` examples, the first of which is number `first` of all. Memory holds one of them."""
        write = self._write_zip if self.format == "zip" else self._write_npz
        with ZipFile(path, "w") as archive:
            write(archive, itertools.islice(made, count), first, count)

    def _write_zip(self, archive: ZipFile, made: Iterable[Made], first: int, count: int) -> None:
        rows, left_out = [], []
        for number, one in enumerate(made, first):
            name = one.name or (f"{number:07d}.png" if one.label is None else f"{number:07d}_{one.label}.png")
            if one.left_out is not None:
                left_out.append((name, one.left_out))
                continue
            archive.writestr(ZipInfo(name, _LONG_AGO), encode(one.array))
            if one.label is not None:
                rows.append((name, one.label, self.class_names[one.label], one.index))
        if rows:
            archive.writestr(ZipInfo(LABELS, _LONG_AGO), csv_text.to_csv(csv_text.LABEL_COLUMNS, rows))
        if left_out:
            archive.writestr(ZipInfo(LEFT_OUT, _LONG_AGO), csv_text.to_csv(("file", "reason"), left_out))

    def _write_npz(self, archive: ZipFile, made: Iterable[Made], first: int, count: int) -> None:
        labels: list[int] = []

        def examples(out: BinaryIO) -> None:
            for number, one in enumerate(made):
                if number == 0:
                    write_array_header_1_0(out, _header(one.array, count))
                out.write(one.array.tobytes())
                if one.label is not None:
                    labels.append(one.label)

        _member(archive, f"{self.of}.npy", examples)
        if labels:
            _member(archive, "labels.npy", lambda out: write_array(out, np.array(labels, np.int64)))


def _header(one: NDArray[Any], count: int) -> dict[str, Any]:
    """Return the NPY header of an array of `count` items like this one."""
    return {"descr": dtype_to_descr(one.dtype), "fortran_order": False, "shape": (count, *one.shape)}


def _member(archive: ZipFile, name: str, write: Callable[[BinaryIO], None]) -> None:
    with archive.open(ZipInfo(name, _LONG_AGO), "w", force_zip64=True) as out:
        write(out)  # type: ignore[arg-type]
