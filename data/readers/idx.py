"""Reader of the idx files of MNIST and Fashion-MNIST."""

import gzip
import hashlib
import struct
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.readers.base import DatasetMissing, Heartbeat, Split, no_heartbeat
from data.readers.files import Pixels, dataset_folders, first_existing_file
from models import durable


@dataclass(frozen=True)
class IdxSet:
    """The source of a dataset's four idx files: folder, download URL, and sha256 of the gzipped files."""

    title: str
    folder: str
    host: str
    sums: dict[str, str]


IDX_SETS = {
    "mnist": IdxSet(
        "MNIST",
        "mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "fashion_mnist": IdxSet(
        "Fashion-MNIST",
        "fashion-mnist",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        {
            "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
}
DOWNLOAD_TIMEOUT_S = 30
MAX_DOWNLOAD_BYTES, READ_BYTES = 64 << 20, 1 << 18
"""most bytes of a downloaded file, and bytes that are read at a time"""


def read_pair(
    name: str,
    split: Split,
    root: Path | None,
    downloads: Path | None,
    heartbeat: Heartbeat = no_heartbeat,
    *,
    may_download: bool = True,
) -> tuple[Pixels, Pixels]:
    """Read grey pictures uint8 [N, H, W] and labels uint8 [N] of one of IDX_SETS. Raises DatasetMissing."""
    idx = IDX_SETS[name]
    prefix = "train" if split == "train" else "t10k"
    folders = dataset_folders(idx.folder, root, downloads)
    names = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
    images, labels = (
        read_idx(_file_of(idx, file, folders, heartbeat, may_download), dimensions=dimensions)
        for file, dimensions in zip(names, (3, 1), strict=True)
    )
    if len(images) != len(labels):
        raise DatasetMissing(
            f"{idx.title} has {len(images)} pictures but {len(labels)} labels; download its files again."
        )
    return images, labels


def _file_of(idx: IdxSet, name: str, folders: list[Path], heartbeat: Heartbeat, may_download: bool) -> Path:
    """Return the file's path, plain or gzipped; download it into the last folder if it is in none and it may be."""
    if (path := first_existing_file(folders, name, f"{name}.gz")) is not None:
        return path
    advice = (
        f"Put the four idx files of {idx.title} (plain or .gz) into the folder {idx.folder}/ of your datasets "
        "and set FORGER_DATA to the folder that holds it."
    )
    if not folders or not may_download:
        raise DatasetMissing(f"The files of {idx.title} are missing. {advice}")
    try:
        return _download(idx.host + f"{name}.gz", idx.sums[name], folders[-1] / f"{name}.gz", heartbeat)
    except (OSError, ValueError) as error:
        raise DatasetMissing(
            f"{idx.title} is not in {folders[-1]} and could not be downloaded ({error}). {advice}"
        ) from error


def _download(url: str, sha256: str, target: Path, heartbeat: Heartbeat = no_heartbeat) -> Path:
    """Download a file, verify its sha256, and write it atomically. Raises ValueError for another checksum."""
    content = bytearray()
    with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as response:
        while len(content) < MAX_DOWNLOAD_BYTES and (part := response.read(READ_BYTES)):
            content += part
            heartbeat()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{url} returned other bytes than expected")
    with durable.atomic_write(target) as incoming:
        incoming.write_bytes(content)
    return target


def read_idx(path: Path, *, dimensions: int) -> Pixels:
    """Read an idx file of bytes, plain or gzipped, as a read-only uint8 array. Raises DatasetMissing."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        magic, *shape = struct.unpack_from(f">{dimensions + 1}I", content)
        if magic != 0x800 + dimensions:
            raise ValueError(f"its first number is {magic:#x}")
        return np.frombuffer(content, np.uint8, offset=4 * (dimensions + 1)).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise DatasetMissing(f"{path} is not a complete idx file ({error}); replace it or remove it.") from error
