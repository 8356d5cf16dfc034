"""Reader of uploaded datasets: tensors from an archive and its index, cached in prepared files.

A prepared file holds the pictures of one domain at one side and number of channels. It is written atomically, and its
name identifies its content; a missing file is prepared again. Uploaded bytes are untrusted, so `Upload.read` decodes
them in a separate process.
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

from data.archive import DOMAINS, ArchiveIndex, MemberPart, SplitMembers, prepared_name
from data.decode import UnreadablePicture
from data.levels import DTYPES, Pixels
from data.prepare import Preparation
from data.readers.base import Heartbeat
from data.readers.builtin import Data, DatasetMissing, Split
from models import durable
from models.errors import JobFailure
from models.spec.data import Images, Paired, Unpaired

ReadPictures = Callable[[Path, Sequence[MemberPart], Preparation], Pixels]
"""(archive, parts, preparation) -> the first pictures, at least one; raises UnreadablePicture"""
PARTS_PER_READ = 64
"""most pictures, or parts of pictures, that one call reads"""


@dataclass(frozen=True)
class Upload:
    """An uploaded dataset's files, and the folder of its prepared pictures.

    The files' names are the sha256 of their bytes. `heartbeat` is called regularly while pictures are read.
    """

    archive: Path
    index: Path
    prepared: Path
    heartbeat: Heartbeat
    read: ReadPictures


class NoDiskSpace(JobFailure):
    """The error of a full disk. The message says what to change."""

    code = "no_room"


def load_upload(spec: Images | Unpaired | Paired, upload: Upload, split: Split = "train") -> Data:
    """Load the training split, or the split held out for evaluation ("test"). Raises DatasetMissing, NoDiskSpace."""
    try:
        index = ArchiveIndex.from_bytes(upload.index.read_bytes())
        members = index.train if split == "train" else index.held_out
        if members is None:
            raise DatasetMissing(f"The uploaded dataset '{spec.dataset}' has no {split} split; use the whole set.")
        if isinstance(spec, Images):
            labels = index.labels(members) if spec.classes else None
            pictures = _pictures(index, members, 0, spec, upload)
            return Data(images=pictures, labels=None if labels is None else torch.tensor(labels))
        a, b = (_pictures(index, members, domain, spec, upload) for domain in range(len(DOMAINS)))
        return Data(a=a, b=b)
    except (FileNotFoundError, UnreadablePicture) as error:
        raise DatasetMissing(
            f"The files of '{spec.dataset}' are missing or damaged ({error}). Upload it again under another name."
        ) from error


def _pictures(
    index: ArchiveIndex, members: SplitMembers, domain: int, spec: Images | Unpaired | Paired, upload: Upload
) -> Tensor:
    """Return [N, channels, prepared_side, prepared_side], memory-mapped; write the prepared file if missing.

    The levels are uint8, or uint16 for a dataset of 16 bits.
    """
    split = "held-" if members is index.held_out else ""
    path = upload.prepared / prepared_name(upload.archive.name, upload.index.name, f"{split}{DOMAINS[domain]}", spec)
    if not path.is_file():
        preparation = index.preparation(domain, spec.prepared_side, spec.channels)
        _prepare(index.examples(members, domain), preparation, path, upload)
    # Copy on write, since torch takes no read-only memory; nothing writes to it.
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def _prepare(parts: Sequence[MemberPart], preparation: Preparation, path: Path, upload: Upload) -> None:
    """Write the prepared file. Several attempts may write it at the same time."""
    with durable.atomic_write(path) as incoming:
        shape = len(parts), preparation.channels, preparation.side, preparation.side
        _reserve(incoming, shape, preparation.decoding.bits)
        out, done = open_memmap(incoming, mode="r+"), 0
        while done < len(parts):
            ready = upload.read(upload.archive, parts[done : done + PARTS_PER_READ], preparation)
            out[done : done + len(ready)] = ready.transpose(0, 3, 1, 2)
            done += len(ready)
            upload.heartbeat()
        out.flush()


def _reserve(path: Path, shape: tuple[int, ...], bits: int) -> None:
    """Write an empty array of levels and allocate its disk space: a full disk under a memory map kills the process.

    Raises NoDiskSpace.
    """
    header = {"descr": dtype_to_descr(np.dtype(DTYPES[bits])), "fortran_order": False, "shape": shape}
    needed = math.prod(shape) * bits // 8
    try:
        with path.open("wb") as file:
            write_array_header_1_0(file, header)
            file.flush()
            os.posix_fallocate(file.fileno(), file.tell(), needed)
    except OSError as error:
        raise NoDiskSpace(
            f"The prepared pictures need {needed} bytes and the disk has no room ({error.strerror}): "
            "choose a smaller data.side or data.load, or free space in FORGER_HOME."
        ) from error
