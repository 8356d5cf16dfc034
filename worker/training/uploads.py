"""Reader of uploaded datasets: an archive and its index in, tensors out, by way of a cache.

A prepared file holds the pictures of one pile at one side and number of channels. It is written whole or not at all,
and its name says all that decides its content: whether it is there changes nothing but the time. Pictures are
bytes from strangers, so `Upload.read` decodes them in a process of its own.
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import dtype_to_descr, open_memmap, write_array_header_1_0
from torch import Tensor

from models import durable
from models.archive import PILES, Index, mark
from models.decoding import Unreadable
from models.preparing import VERSION, Pixels
from models.spec.data import Images, Paired, Unpaired
from worker.training.data import Data, DatasetMissing

Beat = Callable[[], None]
Read = Callable[[Path, Sequence[str], int | None, int, int], Pixels]
"""(archive, members, half, side, channels): the first of these pictures, at least one; raises Unreadable"""
BATCH = 64


@dataclass(frozen=True)
class Upload:
    """Where an uploaded dataset lies, and where its prepared pictures may be kept.

    The files' names are the sha256 of their bytes. `beat` is called now and then while pictures are read.
    """

    archive: Path
    index: Path
    prepared: Path
    beat: Beat
    read: Read


class NoRoom(Exception):
    """The disk cannot hold what was made. The message says what to change."""


def load_upload(spec: Images | Unpaired | Paired, upload: Upload) -> Data:
    """Raises DatasetMissing, NoRoom."""
    try:
        index = Index.from_bytes(upload.index.read_bytes())
        if isinstance(spec, Images):
            labels = torch.tensor(index.labels) if spec.classes and index.labels is not None else None
            return Data(images=_pictures(index, 0, spec, upload), labels=labels)
        a, b = (_pictures(index, pile, spec, upload) for pile in range(len(PILES)))
        return Data(a=a, b=b)
    except (FileNotFoundError, Unreadable) as error:
        raise DatasetMissing(
            f"The files of '{spec.dataset}' are missing or damaged ({error}). Upload it again under another name."
        ) from error


def _pictures(index: Index, pile: int, spec: Images | Unpaired | Paired, upload: Upload) -> Tensor:
    """uint8 [N, channels, prepared, prepared], mapped from the prepared file, which is made where it is missing."""
    own = f"{PILES[pile]}-{spec.prepared}x{spec.prepared}x{spec.channels}-{VERSION}.npy"
    path = upload.prepared / (mark(upload.archive.name, upload.index.name) + own)
    if not path.is_file():
        _prepare(index, pile, spec, path, upload)
    # Copied on write, which nobody does: torch takes no read-only memory.
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def _prepare(index: Index, pile: int, spec: Images | Unpaired | Paired, path: Path, upload: Upload) -> None:
    """Attempts that prepare at once do not disturb each other."""
    with durable.whole(path) as incoming:
        names, half = index.members(pile), pile if index.halved else None
        _reserve(incoming, (len(names), spec.channels, spec.prepared, spec.prepared))
        out, done = open_memmap(incoming, mode="r+"), 0
        while done < len(names):
            ready = upload.read(upload.archive, names[done : done + BATCH], half, spec.prepared, spec.channels)
            out[done : done + len(ready)] = ready.transpose(0, 3, 1, 2)
            done += len(ready)
            upload.beat()
        out.flush()


def _reserve(path: Path, shape: tuple[int, ...]) -> None:
    """Write an empty uint8 array with all its room on the disk: running out of it in a mapping kills the process."""
    header = {"descr": dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    needed = math.prod(shape)
    try:
        with path.open("wb") as file:
            write_array_header_1_0(file, header)
            file.flush()
            os.posix_fallocate(file.fileno(), file.tell(), needed)
    except OSError as error:
        raise NoRoom(
            f"The prepared pictures need {needed} bytes and the disk has no room ({error.strerror}): "
            "choose a smaller data.side or data.load, or make room in FORGER_HOME."
        ) from error
