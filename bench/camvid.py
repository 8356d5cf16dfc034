"""CamVid's street scenes as two games: dusk into day without pairs, and label pictures into photographs.

Read from FORGER_DATA/camvid: SPLIT/NAME.png (photographs), SPLITannot/NAME.png (a class in each pixel), and the lists
unpaired_A_dusk.txt and unpaired_B_day.txt. The pictures that it draws contain only generated pictures.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from bench.runs import trained
from data.batches import scaled
from data.images import encode, sheet
from data.prepare import Preparation, prepare
from data.readers.builtin import Data
from models.spec.datasets import DATASETS, DatasetInfo
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training.samples import to_pixels

SIDE = 64
SHOWN = 12
COLUMNS = 6
ENLARGED = 2
HELD_OUT = 12
"""photographs at the end of each list that are not trained on: neighbours in a list are neighbours in the film"""
LISTS = {"dusk": "unpaired_A_dusk.txt", "day": "unpaired_B_day.txt"}
COLOURS = np.array(
    [
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192), (0, 0, 0),
    ],
    np.uint8,
)  # fmt: skip
"""of the classes: sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, bicyclist, unlabelled"""


def day_from_dusk(folder: Path, steps: int | None) -> bytes:
    """Return a PNG of held-out streets at dusk that cyclegan translated to day."""
    dusk, day = (_listed(folder, name) for name in LISTS.values())
    data = Data(a=_photographs(dusk[:-HELD_OUT]), b=_photographs(day[:-HELD_OUT]))
    nets = trained(recipe("cyclegan", "unpaired", steps), data).average.network
    assert isinstance(nets, nn.ModuleDict)
    return _drawn(nets["a2b"], _photographs(dusk[-HELD_OUT:]))


def street_from_labels(folder: Path, steps: int | None) -> bytes:
    """Return a PNG of streets that pix2pix drew from label maps of the test split."""
    photographs = sorted((folder / "train").glob("*.png"))
    data = Data(a=_labels(folder / "trainannot" / path.name for path in photographs), b=_photographs(photographs))
    generator = trained(recipe("pix2pix", "paired", steps), data).average.network
    labels = sorted((folder / "testannot").glob("*.png"))
    return _drawn(generator, _labels(labels[:: max(1, len(labels) // SHOWN)][:SHOWN]))


def recipe(family: str, kind: Literal["unpaired", "paired"], steps: int | None) -> Recipe:
    """The family's defaults at 64 px."""
    info = DatasetInfo("camvid", "CamVid", kind, SIDE, 3, (), 0, "FORGER_DATA/camvid", uploaded=True)
    budget = {"steps": steps} if steps else None
    return resolve(family, dataset="camvid", seed=1, budget=budget, datasets={**DATASETS, "camvid": info})[1]


@torch.no_grad()
def _drawn(generator: nn.Module, given: Tensor) -> bytes:
    cells = to_pixels(generator(scaled(given)))
    return encode(sheet(cells.repeat(ENLARGED, axis=1).repeat(ENLARGED, axis=2), COLUMNS, gap=2))


def _listed(folder: Path, name: str) -> list[Path]:
    return [folder / line for line in (folder / name).read_text().split()]


def _photographs(paths: Iterable[Path]) -> Tensor:
    return _prepared(Image.open(path).convert("RGB") for path in paths)


def _labels(paths: Iterable[Path]) -> Tensor:
    return _prepared(Image.fromarray(_coloured(np.asarray(Image.open(path)))) for path in paths)


def _coloured(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[h, w] of classes to [h, w, 3]."""
    return COLOURS[np.minimum(classes, len(COLOURS) - 1)]


def _prepared(pictures: Iterable[Image.Image]) -> Tensor:
    """uint8 [n, 3, SIDE, SIDE], cut and resized as uploads are."""
    return torch.from_numpy(np.stack([prepare(picture, Preparation(SIDE, 3)) for picture in pictures])).permute(
        0, 3, 1, 2
    )
