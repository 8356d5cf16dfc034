"""Pictures of any size through a translator."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.spec.nets import MIN_TRANSLATED_SIDE, padded_side
from models.spec.resolve import resolve
from serving.tiling import MAX_TILE_SIDE, TILE_SIDE, Translator, _windows, tile_side, translate_in_tiles

CPU = torch.device("cpu")


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
    *between, result = translate_in_tiles(Translator(network), image, CPU)
    assert all(piece is None for piece in between)
    assert result is not None
    assert (result == image).all()
    assert all(side % 4 == 0 and side >= MIN_TRANSLATED_SIDE for sizes in network.seen for side in sizes)


def test_no_piece_grows_with_the_picture() -> None:
    network = Watched()
    list(translate_in_tiles(Translator(network), noise(2000, 1600, 1), CPU))
    assert network.seen == {(500, 536)}, "few and no larger than they must be"


@pytest.mark.parametrize(
    ("family", "changed", "tile"),
    [
        ("cyclegan", {}, MAX_TILE_SIDE),
        ("pix2pix", {}, MAX_TILE_SIDE),
        ("cyclegan", {"data": {"side": 256}}, 1125),
        ("cyclegan", {"generator": {"width": 256}}, TILE_SIDE),
    ],
)
def test_a_megapixel_is_one_piece_where_the_networks_maps_leave_room(
    family: str, changed: dict[str, Any], tile: int
) -> None:
    assert tile_side(resolve(family, overrides=changed)[1]) == tile


@pytest.mark.parametrize(("multiple", "reach", "factor"), [(4, 40, 1), (4, 88, 1), (16, 45, 1), (1, 16, 2)])
@pytest.mark.parametrize("sides", [(3000, 4000), (1440, 2560)])
def test_a_large_picture_costs_little_more_than_its_pixels(
    sides: tuple[int, int], multiple: int, reach: int, factor: int
) -> None:
    seen = 1.0
    for side in (padded_side(side, multiple) for side in sides):
        windows = _windows(side, Translator(Watched(), multiple, factor, receptive_radius=reach), MAX_TILE_SIDE)
        seen *= sum(window.shown.stop - window.shown.start for window in windows) / side
    assert seen < 1.35


REACHES = [(4, 0, 1), (4, 40, 1), (1, 40, 4), (16, 45, 1), (64, 189, 1), (128, 381, 1), (256, 765, 1)]


@pytest.mark.parametrize(("multiple", "reach", "factor"), REACHES)
@pytest.mark.parametrize("side", [768, 1024, 1280, 5120])
def test_windows_cover_and_are_laid_where_the_surroundings_are_seen(
    side: int, multiple: int, reach: int, factor: int
) -> None:
    windows = _windows(side, Translator(Watched(), multiple, factor, receptive_radius=reach), TILE_SIDE)
    assert (windows[0].shown.start, windows[0].start, windows[-1].shown.stop) == (0, 0, side)
    assert all(window.shown.start % multiple == 0 for window in windows)
    for earlier, later in pairwise(windows):
        assert (later.fade > 0) is (reach > 0.3 * TILE_SIDE // factor)
        seen = later.fade // 2 or reach
        assert later.start - later.shown.start >= seen
        assert earlier.shown.stop - (later.start + later.fade) >= seen


@pytest.mark.parametrize("multiple", [1, 16, 128, 256])
@pytest.mark.parametrize("shape", [(17, 30), (300, 1700)])
def test_a_network_is_shown_sides_that_it_divides(shape: tuple[int, int], multiple: int) -> None:
    image, network = noise(*shape), Watched()
    *_, result = translate_in_tiles(Translator(network, multiple), image, CPU)
    assert result is not None
    assert (result == image).all()
    assert all(side % multiple == 0 and side <= TILE_SIDE for sizes in network.seen for side in sizes)


@pytest.mark.parametrize(
    ("family", "changed", "canvas"),
    [
        ("pix2pix", {"data": {"side": 256}, "generator": {"depth": 8}}, (256, 1536)),
        ("cyclegan", {}, (20, 1300)),
        ("srgan", {"game": {"factor": 4}}, (68, 5200)),
    ],
)
def test_a_recipe_tells_the_size_of_what_is_made(family: str, changed: dict[str, Any], canvas: tuple[int, int]) -> None:
    """Of 17 x 1300: what the network is shown is padded, and what it makes of that is enlarged."""
    recipe = resolve(family, overrides=changed)[1]
    assert recipe.canvas(17, 1300) == canvas
    network = Enlarging(recipe.upscaling)
    list(translate_in_tiles(Translator(network, recipe.side_multiple, recipe.upscaling), noise(17, 1300, 1), CPU))
    heights = {recipe.upscaling * high for high, _ in network.seen}
    assert heights == {canvas[0]}


class Enlarging(Watched):
    """Each pixel becomes a square of them."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(super().forward(x), scale_factor=self.factor, mode="nearest")


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("shape", [(17, 23), (200, 331)])
def test_an_enlarged_picture_is_whole_and_no_tile_is_larger_than_of_others(shape: tuple[int, int], factor: int) -> None:
    image, network = noise(*shape, 1), Enlarging(factor)
    *between, result = translate_in_tiles(Translator(network, 1, factor), image, CPU)
    assert result is not None
    assert (result == image.repeat(factor, 0).repeat(factor, 1)).all()
    assert max(high * wide for high, wide in network.seen) * factor**2 <= 640 * 640
    assert bool(between) is (shape[0] * shape[1] * factor**2 > 640 * 640)


class Black(Watched):
    """Paints everything black, and remembers the sum of what it was given inside the hole."""

    inside = 0.0

    def forward(self, x: Tensor) -> Tensor:
        super().forward(x)
        self.inside += float((x[:, :-1] * x[:, -1:]).abs().sum())
        return torch.full_like(x[:, :-1], -1)


@pytest.mark.parametrize("shape", [(20, 30), (700, 900)])
def test_only_the_hole_is_painted_and_what_lies_in_it_is_not_shown(shape: tuple[int, int]) -> None:
    image, network = noise(*shape, 4), Black()
    image[..., 3] = np.where(image[..., 3] < 100, 255, 0)
    *_, result = translate_in_tiles(Translator(network, 4, fills=True), image, CPU)
    assert result is not None
    hole = image[..., 3] == 255
    assert result.shape == (*shape, 3)
    assert (result[hole] == 0).all()
    assert (result[~hole] == image[..., :3][~hole]).all()
    assert network.inside == 0
