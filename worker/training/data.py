"""Dataset readers: from a recipe's `data` to tensors that stay in memory."""

import gzip
import hashlib
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor

from models.spec.data import DataSpec, Images, Points, Unpaired
from worker.training import scenes

Split = Literal["train", "test"]
SCENES = 1000
"""pictures in each pile of day2night"""


class DatasetMissing(Exception):
    """The files are not where they should be; the message says where to put them."""


@dataclass(frozen=True)
class Data:
    """What there is to learn from; the fields that the kind does not have are None.

    images: uint8 [n, c, side, side], labels: int64 [n]; points: float32 [n, 2];
    unpaired: a and b, each uint8 [n, c, side, side].
    """

    images: Tensor | None = None
    labels: Tensor | None = None
    points: Tensor | None = None
    a: Tensor | None = None
    b: Tensor | None = None


def load(spec: DataSpec, root: Path | None, split: Split = "train") -> Data:
    """The dataset of a recipe. `root` is FORGER_DATA, for those that need files. Raises DatasetMissing."""
    match spec:
        case Images():
            pictures, labels = _PICTURES[spec.dataset](root, split)
            fitted = np.stack([_fit(picture, spec.side) for picture in pictures])
            images = torch.from_numpy(fitted)[:, None].expand(-1, spec.channels, -1, -1).contiguous()
            return Data(images=images, labels=torch.from_numpy(labels.astype(np.int64)))
        case Points():
            return Data(points=_draw_points(modes(spec.dataset), _SPREADS[spec.dataset]))
        case Unpaired():
            day, night = scenes.DAY_SEEDS, scenes.NIGHT_SEEDS
            return Data(
                a=scenes.pictures(range(day, day + SCENES), spec.side, night=False),
                b=scenes.pictures(range(night, night + SCENES), spec.side, night=True),
            )
        case _:
            assert_never(spec)


def _fit(picture: np.ndarray, side: int) -> np.ndarray:
    """Grey [h, w] uint8 resized to [side, side]; untouched at its own size."""
    if picture.shape == (side, side):
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


# Pictures


def _digits(root: Path | None, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 1,797 digits, 0..16 stretched to 0..255; they have no test split of their own."""
    digits = load_digits()
    return np.round(digits.images * (255 / 16)).astype(np.uint8), digits.target


def _idx(folder: str, url: str, sums: dict[str, str]) -> Callable[[Path | None, Split], tuple[np.ndarray, np.ndarray]]:
    """A reader of four idx files as MNIST has them (big-endian header, then bytes)."""

    def read(root: Path | None, split: Split) -> tuple[np.ndarray, np.ndarray]:
        stem = "train" if split == "train" else "t10k"
        images = _idx_bytes(root, folder, url, f"{stem}-images-idx3-ubyte", sums)
        labels = _idx_bytes(root, folder, url, f"{stem}-labels-idx1-ubyte", sums)
        return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)

    return read


def _idx_bytes(root: Path | None, folder: str, url: str, name: str, sums: dict[str, str]) -> bytes:
    where = f"Put the four idx files ({name}.gz and the others) into FORGER_DATA/{folder}/"
    if root is None:
        raise DatasetMissing(f"FORGER_DATA is not set, so '{folder}' has no place. Set it to a folder. {where}.")
    plain, packed = root / folder / name, root / folder / f"{name}.gz"
    if plain.is_file():
        return plain.read_bytes()
    if not packed.is_file():
        try:
            _download(f"{url}/{name}.gz", packed, sums[name])
        except OSError as error:
            raise DatasetMissing(f"{packed} does not exist and could not be downloaded ({error}). {where}.") from error
    return gzip.decompress(packed.read_bytes())


def _download(url: str, path: Path, sha256: str) -> None:
    """Fetch once, check, then move into place. Raises OSError."""
    with urllib.request.urlopen(url, timeout=30) as response:
        content: bytes = response.read(64 << 20)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise OSError("its sha256 is not the published one")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


_PICTURES: dict[str, Callable[[Path | None, Split], tuple[np.ndarray, np.ndarray]]] = {
    "digits": _digits,
    "mnist": _idx(
        "mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        {
            "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "fashion_mnist": _idx(
        "fashion-mnist",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        {
            "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
}


# Points

_SPREADS = {"ring8": 0.01, "grid25": 0.05}
_POINTS = 100_000


def modes(dataset: str) -> Tensor:
    """The true centres [modes, 2] of ring8 or grid25."""
    if dataset == "ring8":
        angle = torch.arange(8, dtype=torch.float64) * (2 * torch.pi / 8)
        return torch.stack([angle.cos(), angle.sin()], 1).float()
    line = torch.arange(-4.0, 5.0, 2.0)
    return torch.cartesian_prod(line, line)


def _draw_points(centres: Tensor, spread: float) -> Tensor:
    """100,000 points [n, 2], each mode equally often, from a fixed seed."""
    rng = torch.Generator().manual_seed(0)
    own = centres[torch.arange(_POINTS) % len(centres)]
    return own + spread * torch.randn(_POINTS, 2, generator=rng)
