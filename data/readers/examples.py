"""Read a few examples of a dataset as training sees them, without torch: for a page that shows them.

`read` reads files that the machine's owner put there. Run it in a Sandbox all the same: it may take much memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from data.archive import DOMAINS
from data.errors import Refused
from data.readers import cifar10, digits, idx, scenes, toy_arrays, usps
from data.readers.base import DatasetMissing
from data.readers.files import Pixels, resized
from models.spec.data import DataSpec, Images, Paired, Points, Sequences, Unpaired
from models.spec.datasets import DATASETS

Rows = NDArray[np.int64]
Label = int | Literal["each"] | None
MISSING = DatasetMissing.code
"""code of the refusal of a dataset whose files are missing or damaged"""


@dataclass(frozen=True)
class Choice:
    """Which examples: `n` of all, of a class, or of each class; of domain a or b where there are two."""

    n: int
    seed: int
    label: Label = None
    domain: str = "a"

    @property
    def domain_number(self) -> int:
        return DOMAINS.index(self.domain)


def rows(choice: Choice, count: int, labels: NDArray[Any] | None = None, classes: int = 0) -> Rows:
    """Return the numbers of the chosen examples out of `count`, for label `each` class by class.

    Example i depends on the seed and the class only, never on n. All examples come once before the first one repeats.
    Raises DatasetMissing if the files hold no example of a class.
    """
    if labels is None or choice.label is None:
        return _shuffled(choice, np.arange(count))
    numbers = range(classes) if choice.label == "each" else [choice.label]
    return np.concatenate([_shuffled(choice, np.flatnonzero(labels == number)) for number in numbers])


def _shuffled(choice: Choice, candidates: Rows) -> Rows:
    if not len(candidates):
        raise DatasetMissing("The dataset's files hold no example of this class; choose another one.")
    # numpy keeps the numbers of RandomState the same in all its versions.
    order = np.random.RandomState([choice.seed & 0xFFFFFFFF, choice.seed >> 32]).permutation(candidates)
    return np.asarray(order[np.arange(choice.n) % len(order)])


def read(
    spec: DataSpec, choice: Choice, root: Path | None, downloads: Path
) -> Pixels | list[list[float]] | list[list[int]]:
    """Read examples of the training split of a built-in dataset, at the side and channels of `spec`.

    Pictures are uint8 [n, side, side, channels], points and strings are lists [n, dimension or length]. `root` and
    `downloads` are the folders of files. Raises Refused with the code MISSING.
    """
    try:
        match spec:
            case Images():
                return _images(spec, choice, root, downloads)
            case Points():
                points = toy_arrays.points(spec, "train")
                return [[float(number) for number in point] for point in points[rows(choice, len(points))]]
            case Sequences():
                strings = toy_arrays.sequences(spec, "train")
                return [[int(symbol) for symbol in string] for string in strings[rows(choice, len(strings))]]
            case Unpaired() | Paired():
                return _scenes(spec, choice)
            case _:
                assert_never(spec)
    except DatasetMissing as error:
        raise Refused(str(error), MISSING, "") from error


def _images(spec: Images, choice: Choice, root: Path | None, downloads: Path) -> Pixels:
    labels, picture = source(spec.dataset, root, downloads)
    chosen = rows(choice, len(labels), labels, spec.classes)
    return np.stack([resized(picture(row), spec.side, spec.channels) for row in chosen.tolist()])


def source(name: str, root: Path | None, downloads: Path) -> tuple[NDArray[Any], Callable[[int], Pixels]]:
    """Return the labels of all pictures, and a function that returns a picture [h, w] or [3, h, w] by its number."""
    match name:
        case "digits":
            pictures, labels = digits.read("train")
        case "mnist" | "fashion_mnist":
            pictures, labels = idx.read_pair(name, "train", root, downloads, may_download=False)
        case "stacked_mnist":
            return _stacked(*idx.read_pair("mnist", "train", root, downloads, may_download=False))
        case "usps":
            pictures, labels = usps.read("train", root, downloads)
        case "cifar10":
            if isinstance(found := cifar10.find("train", root, downloads), Path):
                files = cifar10.class_files(found)
                numbers = np.array([number for _, number in files])
                return numbers, lambda row: cifar10.read_picture_file(files[row][0])
            pictures, labels = cifar10.read("train", root, downloads)
        case _:
            raise DatasetMissing(f"The pictures of '{name}' cannot be shown.")
    return labels, lambda row: pictures[row]


def _stacked(pictures: Pixels, labels: Pixels) -> tuple[NDArray[Any], Callable[[int], Pixels]]:
    digits_of = toy_arrays.stacked_digits("train", DATASETS["stacked_mnist"].size, len(pictures))
    return labels.astype(np.int64)[digits_of] @ np.array([100, 10, 1]), lambda row: pictures[digits_of[row]]


def _scenes(spec: Unpaired | Paired, choice: Choice) -> Pixels:
    night = choice.domain == "b"
    first = scenes.NIGHT_SEEDS if night and isinstance(spec, Unpaired) else scenes.DAY_SEEDS
    chosen = rows(choice, DATASETS[spec.dataset].size // len(DOMAINS))
    return np.stack([np.asarray(scenes.render(first + row, spec.side, night=night)) for row in chosen.tolist()])
