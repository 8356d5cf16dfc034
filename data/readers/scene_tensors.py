"""The painted scenes of `day2night` as tensors."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from data.readers.base import Heartbeat, no_heartbeat
from data.readers.pictures import allocate
from data.readers.scenes import HELD_OUT_SEEDS, render


def pictures(seeds: Sequence[int], side: int, *, night: bool, heartbeat: Heartbeat = no_heartbeat) -> Tensor:
    """Paint scenes as uint8 [N, 3, side, side]; `heartbeat` is called after each."""
    out = allocate((len(seeds), 3, side, side))
    for row, seed in zip(out, seeds, strict=True):
        row.copy_(torch.from_numpy(np.array(render(seed, side, night=night))).permute(2, 0, 1))
        heartbeat()
    return out


def pairs(side: int, n: int, heartbeat: Heartbeat = no_heartbeat) -> tuple[Tensor, Tensor]:
    """Paint `n` held-out scenes by day and by night, for evaluation only."""
    seeds = range(HELD_OUT_SEEDS, HELD_OUT_SEEDS + n)
    return pictures(seeds, side, night=False, heartbeat=heartbeat), pictures(
        seeds, side, night=True, heartbeat=heartbeat
    )
