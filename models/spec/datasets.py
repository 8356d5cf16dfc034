"""Descriptions of datasets, and the table of built-in ones."""

import math
from dataclasses import dataclass
from typing import Literal

from models.spec.data import DataSpec, Images, Paired, Points, Sequences, Unpaired

DataKind = Literal["images", "points", "sequences", "unpaired", "paired"]

DIGIT_CLASSES = tuple(str(digit) for digit in range(10))
FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
PHOTOGRAPH_EDGE, CROP_SIDE, MAX_LOAD_SIDE = 160, 128, 512
"""in pixels: median shorter edge from which pictures are cropped by default, side of a crop, largest prepared side"""
MAX_PREPARED_BYTES = 2 << 30
"""most bytes of prepared pictures by default"""
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
UNKNOWN_DATASET = "(imported)"
"""name in the recipe of imported weights whose training data is not known; no dataset can have it"""
STACKED_CLASSES = tuple(f"{number:03d}" for number in range(1000))


@dataclass(frozen=True)
class DatasetInfo:
    """A dataset: its shape, classes (none if it is unlabelled), number of examples, and whether it is an upload."""

    name: str
    title: str
    kind: DataKind
    side: int
    channels: int
    class_names: tuple[str, ...]
    size: int
    source: str
    uploaded: bool = False
    other_kinds: tuple[DataKind, ...] = ()
    """further kinds of data that it can provide"""
    dimension: Literal[1, 2] = 2
    """numbers of a point"""
    length: int = 0
    """symbols of a string"""
    alphabet: str = ""
    """the symbols of strings"""
    shorter_edge: int = 0
    """median shorter edge of an upload's pictures, in pixels; 0 if unknown"""
    bits: Literal[8, 16] = 8
    """bits of a sample of its pictures"""

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def kinds(self) -> tuple[DataKind, ...]:
        """All kinds of data that it can provide, the preferred one first."""
        return (self.kind, *self.other_kinds)

    def spec(self, kind: DataKind | None = None) -> DataSpec:
        """Return the `data` part of a recipe, at the dataset's own size; `kind` is one of its kinds."""
        match kind or self.kind:
            case "images":
                return Images(
                    dataset=self.name, side=self.side, channels=self.channels, classes=self.classes, bits=self.bits
                )
            case "points":
                return Points(dataset=self.name, dimension=self.dimension)
            case "sequences":
                return Sequences(dataset=self.name, length=self.length, symbols=len(self.alphabet))
            case "unpaired":
                return Unpaired(dataset=self.name, side=self.side, channels=self.channels, bits=self.bits)
            case "paired":
                return Paired(dataset=self.name, side=self.side, channels=self.channels, bits=self.bits)

    def default_spec(self, kind: DataKind | None = None) -> DataSpec:
        """Return `spec`, but with random crops of CROP_SIDE pixels for large photographs of two domains.

        Photographs are cropped at their own scale, as far as disk space allows; unpaired crops are also mirrored.
        """
        spec = self.spec(kind)
        if not isinstance(spec, Unpaired | Paired):
            return spec
        pictures = max(1, self.size * (2 if self.kind == "paired" else 1))
        pixel_bytes = pictures * self.channels * self.bits // 8
        load = min(MAX_LOAD_SIDE, self.shorter_edge, math.isqrt(MAX_PREPARED_BYTES // pixel_bytes))
        if load < PHOTOGRAPH_EDGE:
            return spec
        return spec.model_copy(update={"side": CROP_SIDE, "load": load, "flip": isinstance(spec, Unpaired)})


_ALL = (
    DatasetInfo("digits", "Handwritten digits, small", "images", 16, 1, DIGIT_CLASSES, 1797,
                "scikit-learn's 8x8 digits (UCI), enlarged to 16x16; needs no file"),
    DatasetInfo("mnist", "MNIST handwritten digits", "images", 28, 1, DIGIT_CLASSES, 60_000,
                "four idx files in FORGER_DATA/mnist"),
    DatasetInfo("fashion_mnist", "Fashion-MNIST clothes", "images", 28, 1, FASHION_CLASSES, 60_000,
                "four idx files in FORGER_DATA/fashion-mnist"),
    DatasetInfo("ring8", "Eight Gaussians on a ring", "points", 0, 0, (), 100_000,
                "sampled: radius 1, standard deviation .01"),
    DatasetInfo("grid25", "Twenty-five Gaussians on a grid", "points", 0, 0, (), 100_000,
                "sampled: -4 to 4 in steps of 2, standard deviation .05"),
    DatasetInfo("day2night", "Scenes by day and by night", "unpaired", 64, 3, (), 2_000,
                "rendered from a seed; a is day, b is night, no scene is in both; or as true pairs",
                other_kinds=("paired",)),
    DatasetInfo("gaussian1d", "Two Gaussians on a line", "points", 0, 0, (), 100_000,
                "sampled: means -1.5 and 1.5, standard deviations .5 and 1", dimension=1),
    DatasetInfo("stacked_mnist", "Stacked MNIST: 1,000 modes", "images", 28, 3, STACKED_CLASSES, 128_000,
                "three MNIST digits in three channels, sampled from a seed; in class 123 red is 1, green 2, blue 3"),
    DatasetInfo("usps", "USPS handwritten digits", "images", 16, 1, DIGIT_CLASSES, 7_439,
                "usps_all.mat in FORGER_DATA/usps: four rows of five; every fifth is the test split"),
    DatasetInfo("cifar10", "CIFAR-10 small photographs", "images", 32, 3, CIFAR_CLASSES, 50_000,
                "the binary batches or class folders in FORGER_DATA/cifar10"),
    DatasetInfo("dyck", "Balanced brackets", "sequences", 0, 0, (), 20_000,
                "sampled from a seed: strings of 12 brackets of two kinds, each closed in order", length=12,
                alphabet="()[]"),
)  # fmt: skip

WITHOUT_TEST_SPLIT = frozenset({"digits"})
"""built-in datasets that have a training split only"""
DATASETS: dict[str, DatasetInfo] = {info.name: info for info in _ALL}
