"""Pictures of any size are translated in tiles: nothing is lost, tiles are bounded, and outputs have the right size."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from models.spec.nets import MIN_TRANSLATED_SIDE, padded_side
from models.spec.resolve import resolve
from serving.tiling import (
    MAX_TILE_SIDE,
    TILE_SIDE,
    Translator,
    _windows,
    computed_pixels,
    tile_side,
    translate_in_tiles,
)
from tests.support.recording_networks import BlackNetwork, IdentityNetwork, UpscalingNetwork

CPU = torch.device("cpu")


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 700), (2, 3), (15, 17), (64, 64), (639, 640), (700, 701), (90, 9000), (1500, 513)]
)
def test_identity_network_gives_the_picture_back_at_every_size(shape: tuple[int, int]) -> None:
    image, network = noise(*shape), IdentityNetwork()
    *between, result = translate_in_tiles(Translator(network), image, CPU)
    assert all(piece is None for piece in between)
    assert result is not None
    assert (result == image).all()
    assert all(side % 4 == 0 and side >= MIN_TRANSLATED_SIDE for sizes in network.input_sizes for side in sizes)


def test_every_level_of_16_bits_comes_back_through_tiles() -> None:
    image = np.random.default_rng(1).integers(0, 1 << 16, (700, 701, 3), np.uint16)
    *between, result = translate_in_tiles(Translator(IdentityNetwork()), image, CPU)
    assert between
    assert result is not None
    assert result.dtype == np.uint16
    assert (result == image).all()


def test_tiles_of_a_large_picture_are_few_and_bounded() -> None:
    network = IdentityNetwork()
    list(translate_in_tiles(Translator(network), noise(2000, 1600, 1), CPU))
    assert network.input_sizes == {(500, 536)}, "the tiles are no larger than needed"


@pytest.mark.parametrize(
    ("family", "changed", "tile"),
    [
        ("cyclegan", {}, MAX_TILE_SIDE),
        ("pix2pix", {}, MAX_TILE_SIDE),
        ("cyclegan", {"data": {"side": 256}}, 1125),
        ("cyclegan", {"generator": {"width": 256}}, TILE_SIDE),
    ],
)
def test_tile_side_follows_from_the_feature_maps_of_the_network(
    family: str, changed: dict[str, Any], tile: int
) -> None:
    assert tile_side(resolve(family, overrides=changed)[1]) == tile


@pytest.mark.parametrize(("multiple", "reach", "factor"), [(4, 40, 1), (4, 88, 1), (16, 45, 1), (1, 16, 2)])
@pytest.mark.parametrize("sides", [(3000, 4000), (1440, 2560)])
def test_overlaps_add_less_than_35_percent_of_pixels(
    sides: tuple[int, int], multiple: int, reach: int, factor: int
) -> None:
    pixel_ratio = 1.0
    for side in (padded_side(side, multiple) for side in sides):
        windows = _windows(side, Translator(IdentityNetwork(), multiple, factor, receptive_radius=reach), MAX_TILE_SIDE)
        pixel_ratio *= sum(window.shown.stop - window.shown.start for window in windows) / side
    assert pixel_ratio < 1.35


REACHES = [(4, 0, 1), (4, 40, 1), (1, 40, 4), (16, 45, 1), (64, 189, 1), (128, 381, 1), (256, 765, 1)]


@pytest.mark.parametrize(("multiple", "reach", "factor"), REACHES)
@pytest.mark.parametrize("side", [768, 1024, 1280, 5120])
def test_windows_cover_the_side_and_overlap_by_the_receptive_radius(
    side: int, multiple: int, reach: int, factor: int
) -> None:
    windows = _windows(side, Translator(IdentityNetwork(), multiple, factor, receptive_radius=reach), TILE_SIDE)
    assert (windows[0].shown.start, windows[0].start, windows[-1].shown.stop) == (0, 0, side)
    assert all(window.shown.start % multiple == 0 for window in windows)
    for earlier, later in pairwise(windows):
        assert (later.fade > 0) is (reach > 0.3 * TILE_SIDE // factor)
        overlap = later.fade // 2 or reach
        assert later.start - later.shown.start >= overlap
        assert earlier.shown.stop - (later.start + later.fade) >= overlap


@pytest.mark.parametrize("multiple", [1, 16, 128, 256])
@pytest.mark.parametrize("shape", [(17, 30), (300, 1700)])
def test_tiles_have_sides_divisible_by_the_multiple_of_the_network(shape: tuple[int, int], multiple: int) -> None:
    image, network = noise(*shape), IdentityNetwork()
    *_, result = translate_in_tiles(Translator(network, multiple), image, CPU)
    assert result is not None
    assert (result == image).all()
    assert all(side % multiple == 0 and side <= TILE_SIDE for sizes in network.input_sizes for side in sizes)


@pytest.mark.parametrize(
    ("family", "changed", "canvas"),
    [
        ("pix2pix", {"data": {"side": 256}, "generator": {"depth": 8}}, (256, 1536)),
        ("cyclegan", {}, (20, 1300)),
        ("srgan", {"game": {"factor": 4}}, (68, 5200)),
    ],
)
def test_canvas_of_a_recipe_is_its_padded_and_upscaled_output(
    family: str, changed: dict[str, Any], canvas: tuple[int, int]
) -> None:
    """The input is 17 x 1300: it is padded for the network, whose output may be larger."""
    recipe = resolve(family, overrides=changed)[1]
    assert recipe.canvas(17, 1300) == canvas
    network = UpscalingNetwork(recipe.upscaling)
    list(translate_in_tiles(Translator(network, recipe.side_multiple, recipe.upscaling), noise(17, 1300, 1), CPU))
    heights = {recipe.upscaling * high for high, _ in network.input_sizes}
    assert heights == {canvas[0]}


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("shape", [(17, 23), (200, 331)])
def test_upscaled_picture_is_complete_and_its_tiles_are_bounded(shape: tuple[int, int], factor: int) -> None:
    image, network = noise(*shape, 1), UpscalingNetwork(factor)
    *between, result = translate_in_tiles(Translator(network, 1, factor), image, CPU)
    assert result is not None
    assert (result == image.repeat(factor, 0).repeat(factor, 1)).all()
    assert max(high * wide for high, wide in network.input_sizes) * factor**2 <= 640 * 640
    assert bool(between) is (shape[0] * shape[1] * factor**2 > 640 * 640)


@pytest.mark.parametrize("shape", [(20, 30), (700, 900)])
def test_only_the_hole_is_painted_and_its_content_is_hidden(shape: tuple[int, int]) -> None:
    image, network = noise(*shape, 4), BlackNetwork()
    image[..., 3] = np.where(image[..., 3] < 100, 255, 0)
    *_, result = translate_in_tiles(Translator(network, 4, fills=True), image, CPU)
    assert result is not None
    hole = image[..., 3] == 255
    assert result.shape == (*shape, 3)
    assert (result[hole] == 0).all()
    assert (result[~hole] == image[..., :3][~hole]).all()
    assert network.hole_content == 0


@pytest.mark.parametrize("shape", [(60, 40), (200, 130), (333, 210)])
@pytest.mark.parametrize("norm", [nn.Identity(), nn.InstanceNorm2d(3)])
def test_computed_pixels_are_those_that_the_network_makes(shape: tuple[int, int], norm: nn.Module) -> None:
    pixels: list[int] = []
    norm.register_forward_hook(lambda _, inputs, output: pixels.append(math.prod(output.shape[2:])))
    translator = Translator(norm, 4, receptive_radius=9)
    list(translate_in_tiles(translator, noise(*shape), CPU, tile=96))
    assert computed_pixels(translator, *shape, tile=96) == sum(pixels)
