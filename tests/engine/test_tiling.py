"""Pictures of any size through a translator."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.tiling import LEAST, MULTIPLE, OVERLAP, TILE, _windows, restyle


class Watched(nn.Module):
    """Gives back what it gets, and remembers the sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[int, ...]] = set()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.add(tuple(x.shape[2:]))
        return x


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 700), (2, 3), (15, 17), (64, 64), (639, 640), (700, 701), (90, 9000), (1500, 513)]
)
def test_nothing_is_lost_moved_or_blended_wrongly(shape: tuple[int, int]) -> None:
    image, network = noise(*shape), Watched()
    *between, result = restyle(network, image, torch.device("cpu"))
    assert all(piece is None for piece in between)
    assert result is not None
    assert (result == image).all()
    assert all(side % MULTIPLE == 0 and side >= LEAST for sizes in network.seen for side in sizes)


def test_memory_does_not_grow_with_the_picture() -> None:
    network = Watched()
    list(restyle(network, noise(2000, 1600, 1), torch.device("cpu")))
    assert network.seen == {(TILE, TILE)}


@pytest.mark.parametrize("side", [513, 960, 961, 5000])
def test_windows_cover_and_overlap(side: int) -> None:
    windows = _windows(side)
    assert (windows[0].start, windows[-1].stop) == (0, side)
    assert all(later.start <= earlier.stop - OVERLAP for earlier, later in pairwise(windows))
