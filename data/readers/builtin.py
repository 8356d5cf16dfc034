"""Load a built-in dataset as tensors.

Pictures stay uint8; large datasets are memory-mapped.
"""

from pathlib import Path
from typing import assert_never

import numpy as np
import torch
from torch import Tensor

from data.readers import cifar10, digits, idx, scene_tensors, scenes, stacked, toy, usps
from data.readers.base import Data, DatasetMissing, Heartbeat, Split, no_heartbeat, unknown_dataset
from data.readers.pictures import resize_all, to_channels
from models.spec.data import DataSpec, Images, Paired, Points, Sequences, Unpaired

__all__ = ["Data", "DatasetMissing", "Split", "load"]

SCENE_COUNTS = {"train": 1_000, "test": 200}
"""scenes of day2night in each split: of each domain, or pairs"""


def load(
    spec: DataSpec,
    root: Path | None,
    split: Split = "train",
    *,
    downloads: Path | None = None,
    heartbeat: Heartbeat = no_heartbeat,
) -> Data:
    """Read the dataset that `spec` names, at its prepared side and channels. Raises DatasetMissing.

    `root` is the user's folder of datasets; missing files are downloaded into `downloads`. `heartbeat` is
    called regularly.
    """
    match spec:
        case Images():
            return _images(spec, root, split, downloads, heartbeat)
        case Points():
            return Data(points=toy.points(spec, split))
        case Sequences():
            return Data(sequences=toy.sequences(spec, split))
        case Unpaired() | Paired():
            return _scenes(spec, split, heartbeat)
        case _:
            assert_never(spec)


def _scenes(spec: Unpaired | Paired, split: Split, heartbeat: Heartbeat) -> Data:
    """Render day2night: b shows the scenes of a for pairs, and other scenes for unpaired training; tests have pairs."""
    if spec.dataset != "day2night":
        raise unknown_dataset(spec.dataset, ["day2night"])
    if split == "test":
        a, b = scene_tensors.pairs(spec.prepared_side, SCENE_COUNTS["test"], heartbeat)
    else:
        nights = scenes.DAY_SEEDS if isinstance(spec, Paired) else scenes.NIGHT_SEEDS
        days = range(scenes.DAY_SEEDS, scenes.DAY_SEEDS + SCENE_COUNTS["train"])
        a = scene_tensors.pictures(days, spec.prepared_side, night=False, heartbeat=heartbeat)
        seeds = range(nights, nights + SCENE_COUNTS["train"])
        b = scene_tensors.pictures(seeds, spec.prepared_side, night=True, heartbeat=heartbeat)
    return Data(a=to_channels(a, spec.channels), b=to_channels(b, spec.channels))


def _images(spec: Images, root: Path | None, split: Split, downloads: Path | None, heartbeat: Heartbeat) -> Data:
    images, labels = _images_and_labels(spec, root, split, downloads, heartbeat)
    return Data(images=images, labels=labels if spec.classes else None)


def _images_and_labels(
    spec: Images, root: Path | None, split: Split, downloads: Path | None, heartbeat: Heartbeat
) -> tuple[Tensor, Tensor]:
    match spec.dataset:
        case "digits":
            raw, labels = digits.read(split)
        case "mnist" | "fashion_mnist":
            raw, labels = idx.read_pair(spec.dataset, split, root, downloads, heartbeat)
        case "stacked_mnist":
            return stacked.stack(spec, *idx.read_pair("mnist", split, root, downloads, heartbeat), split, heartbeat)
        case "usps":
            raw, labels = usps.read(split, root, downloads)
        case "cifar10":
            raw, labels = cifar10.read(split, root, downloads, heartbeat)
        case _:
            raise unknown_dataset(spec.dataset, ["digits", *idx.IDX_SETS, "stacked_mnist", "usps", "cifar10"])
    return resize_all(raw, spec.side, spec.channels, heartbeat), torch.from_numpy(labels.astype(np.int64))
