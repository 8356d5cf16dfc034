"""Readers of the built-in datasets: a data spec in, tensors out.

Pictures stay uint8 until they are used; what would fill the memory lies in a mapped file instead.
"""

import gzip
import hashlib
import math
import struct
import tempfile
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models.spec.data import DataSpec, Images, Paired, Points, Unpaired
from worker.training import scenes

Split = Literal["train", "test"]
MODE = {1: "L", 3: "RGB"}
MEMORY_BUDGET = 1 << 30
"""pictures above this many bytes are memory-mapped"""
POINTS = 100_000
SCENES = {"train": 1_000, "test": 200}


class DatasetMissing(Exception):
    """The files of a dataset are absent or damaged. The message says where to put them."""


@dataclass(frozen=True, eq=False)
class Data:
    """A dataset in memory. What a kind of data does not have is None.

    images: uint8 [N, C, S, S] with labels int64 [N] (None when unlabelled); points: float32 [N, 2];
    unpaired: a uint8 [N, C, S, S] and b uint8 [M, C, S, S]; paired: the same with N = M.
    """

    images: Tensor | None = None
    labels: Tensor | None = None
    points: Tensor | None = None
    a: Tensor | None = None
    b: Tensor | None = None


def load(spec: DataSpec, root: Path | None, split: Split = "train", *, downloads: Path | None = None) -> Data:
    """Read the dataset that `spec` names, at its side and channels.

    `root` is the person's folder of datasets; `downloads` (default: `root`) is where missing files are put.
    """
    match spec:
        case Images():
            return _images(spec, root, split, downloads)
        case Points():
            return Data(points=_points(spec, split))
        case Unpaired():
            return _unpaired(spec, split)
        case Paired():
            raise _unknown(spec.dataset, ())
        case _:
            assert_never(spec)


def _unknown(name: str, known: Iterable[str]) -> DatasetMissing:
    choice = ", ".join(sorted(known)) or "those you upload"
    return DatasetMissing(f"There is no dataset '{name}' of this kind; choose one of {choice}.")


# ---- points

SPREADS = {"ring8": 0.01, "grid25": 0.05}
"""Standard deviation around each mode of the point datasets."""


def modes(dataset: str) -> Tensor:
    """The true centres [modes, 2]: ring8 on radius 1 at eight angles, grid25 from -4 to 4 in steps of 2."""
    if dataset == "ring8":
        angle = torch.arange(8, dtype=torch.float64) * (2 * torch.pi / 8)
        return torch.stack([angle.cos(), angle.sin()], 1).float()
    line = torch.arange(-4.0, 5.0, 2.0)
    return torch.cartesian_prod(line, line)


def _points(spec: Points, split: Split) -> Tensor:
    """100,000 points, each mode equally often, from a fixed seed for each split."""
    if spec.dataset not in SPREADS:
        raise _unknown(spec.dataset, SPREADS)
    centres = modes(spec.dataset)
    rng = torch.Generator().manual_seed(0 if split == "train" else 1)
    own = centres[torch.arange(POINTS) % len(centres)]
    return own + SPREADS[spec.dataset] * torch.randn(POINTS, 2, generator=rng)


# ---- two unpaired piles


def _unpaired(spec: Unpaired, split: Split) -> Data:
    if spec.dataset != "day2night":
        raise _unknown(spec.dataset, ["day2night"])
    if split == "test":
        a, b = scenes.pairs(spec.side, SCENES["test"])
    else:
        a = scenes.pictures(range(scenes.DAY_SEEDS, scenes.DAY_SEEDS + SCENES["train"]), spec.side, night=False)
        b = scenes.pictures(range(scenes.NIGHT_SEEDS, scenes.NIGHT_SEEDS + SCENES["train"]), spec.side, night=True)
    return Data(a=_with_channels(a, spec.channels), b=_with_channels(b, spec.channels))


def _with_channels(colour: Tensor, channels: int) -> Tensor:
    if _mode(channels) == "RGB":
        return colour
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (colour * weights).sum(dim=1, keepdim=True).round().to(torch.uint8)


# ---- labelled pictures


def _images(spec: Images, root: Path | None, split: Split, downloads: Path | None) -> Data:
    if spec.dataset == "digits":
        raw, labels = _digits(split)
    elif spec.dataset in IDX_SETS:
        raw, labels = _idx_pair(IDX_SETS[spec.dataset], split, root, downloads)
    else:
        raise _unknown(spec.dataset, ["digits", *IDX_SETS])
    kept = torch.from_numpy(labels.astype(np.int64)) if spec.classes else None
    return Data(images=_sized(raw, spec.side, spec.channels), labels=kept)


def _digits(split: Split) -> tuple[np.ndarray, np.ndarray]:
    if split == "test":
        raise DatasetMissing("The digits have no test split; use the whole set.")
    from sklearn.datasets import load_digits  # slow to import, and only digits need it

    bunch = load_digits()
    return np.round(bunch.images * (255 / 16)).astype(np.uint8), bunch.target


def _mode(channels: int) -> str:
    if channels not in MODE:
        raise DatasetMissing(f"The built-in pictures have 1 or 3 channels, not {channels}; change data.channels.")
    return MODE[channels]


def _sized(grey: np.ndarray, side: int, channels: int) -> Tensor:
    """Grey pictures uint8 [N, H, W] as uint8 [N, channels, side, side]."""
    _mode(channels)
    out = _room((len(grey), channels, side, side))
    if grey.shape[1:] == (side, side):
        return out.copy_(torch.from_numpy(grey.copy()).unsqueeze(1))
    for index, picture in enumerate(grey):
        resized = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
        out[index] = torch.from_numpy(np.array(resized))
    return out


def _room(shape: tuple[int, ...]) -> Tensor:
    """An empty uint8 tensor: in memory, or above the budget in a mapped file that leaves no name behind."""
    size = math.prod(shape)
    if size <= MEMORY_BUDGET:
        return torch.empty(shape, dtype=torch.uint8)
    with tempfile.NamedTemporaryFile(prefix="forger-pictures-") as file:
        return torch.from_file(file.name, shared=True, size=size, dtype=torch.uint8).view(shape)


# ---- the idx files of MNIST and Fashion-MNIST


@dataclass(frozen=True)
class IdxSet:
    """Where four idx files live: their folder, a host that has them, their sha256 when gzipped."""

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
LARGEST_DOWNLOAD = 64 << 20


def _idx_pair(idx: IdxSet, split: Split, root: Path | None, downloads: Path | None) -> tuple[np.ndarray, np.ndarray]:
    prefix = "train" if split == "train" else "t10k"
    folders = [folder / idx.folder for folder in (root, downloads) if folder is not None]
    images = read_idx(_find(idx, f"{prefix}-images-idx3-ubyte", folders), dimensions=3)
    labels = read_idx(_find(idx, f"{prefix}-labels-idx1-ubyte", folders), dimensions=1)
    if len(images) != len(labels):
        raise DatasetMissing(f"{idx.title} has {len(images)} pictures but {len(labels)} labels; fetch its files again.")
    return images, labels


def _find(idx: IdxSet, name: str, folders: list[Path]) -> Path:
    """The first of the files that is there, plain or gzipped; else it is fetched into the last folder."""
    for folder in folders:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    advice = (
        f"Put the four idx files of {idx.title} (plain or .gz) into the folder {idx.folder}/ of your datasets "
        "and set FORGER_DATA to the folder that holds it."
    )
    if not folders:
        raise DatasetMissing(f"{idx.title} is not here. {advice}")
    try:
        return _fetch(idx.host + f"{name}.gz", idx.sums[name], folders[-1] / f"{name}.gz")
    except (OSError, ValueError) as error:
        raise DatasetMissing(
            f"{idx.title} is not in {folders[-1]} and could not be fetched ({error}). {advice}"
        ) from error


def _fetch(url: str, sha256: str, target: Path) -> Path:
    """Download once, check, then put in place whole."""
    with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as answer:
        content: bytes = answer.read(LARGEST_DOWNLOAD)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{url} answered other bytes than expected")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(content)
    return Path(file.name).replace(target)


def read_idx(path: Path, *, dimensions: int) -> np.ndarray:
    """An idx file of bytes, plain or gzipped, as a read-only uint8 array of so many dimensions."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        magic, *shape = struct.unpack_from(f">{dimensions + 1}I", content)
        if magic != 0x800 + dimensions:
            raise ValueError(f"its first number is {magic:#x}")
        return np.frombuffer(content, np.uint8, offset=4 * (dimensions + 1)).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise DatasetMissing(f"{path} is not a whole idx file ({error}); replace it or remove it.") from error
