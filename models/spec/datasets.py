"""Datasets as facts that need no file and no torch, and the built-in ones."""

from dataclasses import dataclass
from typing import Literal

from models.spec.data import DataSpec, Images, Paired, Points, Unpaired

Kind = Literal["images", "points", "unpaired", "paired"]

DIGITS = tuple(str(digit) for digit in range(10))
FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class DatasetInfo:
    """One dataset: its shape, its classes (empty = unlabelled), its number of examples; `uploaded` by a person."""

    name: str
    title: str
    kind: Kind
    side: int
    channels: int
    class_names: tuple[str, ...]
    size: int
    source: str
    uploaded: bool = False

    @property
    def classes(self) -> int:
        return len(self.class_names)

    def spec(self) -> DataSpec:
        """The dataset at its own size, as the `data` part of a recipe."""
        match self.kind:
            case "images":
                return Images(dataset=self.name, side=self.side, channels=self.channels, classes=self.classes)
            case "points":
                return Points(dataset=self.name)
            case "unpaired":
                return Unpaired(dataset=self.name, side=self.side, channels=self.channels)
            case "paired":
                return Paired(dataset=self.name, side=self.side, channels=self.channels)


_ALL = (
    DatasetInfo("digits", "Handwritten digits, small", "images", 16, 1, DIGITS, 1797,
                "scikit-learn's 8x8 digits (UCI), enlarged to 16x16; needs no file"),
    DatasetInfo("mnist", "MNIST handwritten digits", "images", 28, 1, DIGITS, 60_000,
                "four idx files in FORGER_DATA/mnist"),
    DatasetInfo("fashion_mnist", "Fashion-MNIST clothes", "images", 28, 1, FASHION, 60_000,
                "four idx files in FORGER_DATA/fashion-mnist"),
    DatasetInfo("ring8", "Eight Gaussians on a ring", "points", 0, 0, (), 100_000,
                "drawn: radius 1, standard deviation .01"),
    DatasetInfo("grid25", "Twenty-five Gaussians on a grid", "points", 0, 0, (), 100_000,
                "drawn: -4 to 4 in steps of 2, standard deviation .05"),
    DatasetInfo("day2night", "Scenes by day and by night", "unpaired", 64, 3, (), 2_000,
                "drawn from a seed; a is day, b is night, no scene is in both"),
)  # fmt: skip

DATASETS: dict[str, DatasetInfo] = {info.name: info for info in _ALL}
