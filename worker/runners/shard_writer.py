"""Write shards, files of many examples: a ZIP of PNG files, or NumPy arrays. Equal examples give equal bytes."""

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
from forger.wire import LABELS_FILE, LEFT_OUT_FILE

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
MEDIA_TYPES = {"zip": "application/zip", "npz": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class ShardExample:
    """One example: a picture [h, w, c], a point or a string; its class, if any; its number within the class.

    `name` is the name of its file; None: it is numbered. `left_out` is the reason if it was skipped: then `array` is
    empty.
    """

    array: NDArray[Any]
    label: int | None
    index: int
    name: str | None = None
    left_out: str | None = None


@dataclass(frozen=True, slots=True)
class ShardWriter:
    """A writer of shards in one format. `array_name` names the array in a .npz file, `class_names` the labels."""

    format: Literal["zip", "npz"]
    array_name: str
    class_names: Sequence[str]

    def write(self, path: Path, examples: Iterable[ShardExample], first: int, count: int) -> None:
        """Write the next `count` examples; `first` is the number of the first one in the job. Hold one in memory."""
        write = self._write_zip if self.format == "zip" else self._write_npz
        with ZipFile(path, "w") as archive:
            write(archive, itertools.islice(examples, count), first, count)

    def _write_zip(self, archive: ZipFile, examples: Iterable[ShardExample], first: int, count: int) -> None:
        rows, left_out = [], []
        for number, example in enumerate(examples, first):
            name = example.name or (
                f"{number:07d}.png" if example.label is None else f"{number:07d}_{example.label}.png"
            )
            if example.left_out is not None:
                left_out.append((name, example.left_out))
                continue
            archive.writestr(ZipInfo(name, _ZIP_TIME), encode(example.array))
            if example.label is not None:
                rows.append((name, example.label, self.class_names[example.label], example.index))
        if rows:
            archive.writestr(ZipInfo(LABELS_FILE, _ZIP_TIME), csv_text.to_csv(csv_text.LABEL_COLUMNS, rows))
        if left_out:
            archive.writestr(ZipInfo(LEFT_OUT_FILE, _ZIP_TIME), csv_text.to_csv(("file", "reason"), left_out))

    def _write_npz(self, archive: ZipFile, examples: Iterable[ShardExample], first: int, count: int) -> None:
        labels: list[int] = []

        def write_examples(out: BinaryIO) -> None:
            for number, example in enumerate(examples):
                if number == 0:
                    write_array_header_1_0(out, _header(example.array, count))
                out.write(example.array.tobytes())
                if example.label is not None:
                    labels.append(example.label)

        _write_member(archive, f"{self.array_name}.npy", write_examples)
        if labels:
            _write_member(archive, "labels.npy", lambda out: write_array(out, np.array(labels, np.int64)))


def _header(example: NDArray[Any], count: int) -> dict[str, Any]:
    """Return the NPY header of an array of `count` items like this example."""
    return {"descr": dtype_to_descr(example.dtype), "fortran_order": False, "shape": (count, *example.shape)}


def _write_member(archive: ZipFile, name: str, write: Callable[[BinaryIO], None]) -> None:
    with archive.open(ZipInfo(name, _ZIP_TIME), "w", force_zip64=True) as out:
        write(out)  # type: ignore[arg-type]
