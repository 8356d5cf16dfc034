"""Stacked MNIST: three digits in three channels, which give a thousand modes to count (Metz et al. 2017)."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data.readers.base import Heartbeat, Split, no_heartbeat
from data.readers.files import Pixels, pillow_mode
from data.readers.pictures import allocate, resize_all
from models.spec.data import Images
from models.spec.datasets import DATASETS

SEEDS = {"train": 0, "test": 1}
TEST_SIZE = 26_000
PICTURES_PER_CHUNK = 4096


def stack(
    spec: Images, digits: Pixels, labels: Pixels, split: Split, heartbeat: Heartbeat = no_heartbeat
) -> tuple[Tensor, Tensor]:
    """Stack digits uint8 [M, 28, 28] into pictures uint8 [N, channels, side, side] with classes int64 [N].

    Class 100 a + 10 b + c has the digits a in red, b in green, c in blue. The three digits of each picture are sampled
    from the split's seed, with replacement.
    """
    pillow_mode(spec.channels)
    count = DATASETS["stacked_mnist"].size if split == "train" else TEST_SIZE
    rng = torch.Generator().manual_seed(SEEDS[split])
    picks = torch.randint(len(digits), (count, 3), generator=rng)
    classes = torch.from_numpy(labels.astype(np.int64))[picks] @ torch.tensor([100, 10, 1])
    # In colour the channels are resized separately, so each digit is resized only once.
    if spec.channels == 3:
        small = resize_all(digits, spec.side, 1, heartbeat).squeeze(1)
        out = allocate((count, 3, spec.side, spec.side))
        for start in range(0, count, PICTURES_PER_CHUNK):
            torch.index_select(
                small, 0, picks[start : start + PICTURES_PER_CHUNK].flatten(), out=_channels_view(out, start)
            )
            heartbeat()
        return out, classes
    return _grey(digits, picks, spec.side, heartbeat), classes


def _channels_view(out: Tensor, start: int) -> Tensor:
    """Return a chunk of `out` as a view of single channels."""
    return out[start : start + PICTURES_PER_CHUNK].flatten(0, 1)


def _grey(digits: Pixels, picks: Tensor, side: int, heartbeat: Heartbeat) -> Tensor:
    out = allocate((len(picks), 1, side, side))
    for row, triple in zip(out, picks.tolist(), strict=True):
        colour = Image.merge("RGB", [Image.fromarray(digits[digit]) for digit in triple])
        resized = colour.convert("L").resize((side, side), Image.Resampling.BICUBIC)
        row[0] = torch.from_numpy(np.array(resized))
        heartbeat()
    return out
