"""Tiles of a large picture against the picture made whole: the same where statistics are, and no seams."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from models.build import build_generator
from models.spec.resolve import resolve
from serving.frozen_norms import NormStatistics, recording
from serving.tiling import TILE_SIDE, Translator, Window, _windows, translate_in_tiles

CPU = torch.device("cpu")
Array = NDArray[Any]
TILED = 192
"""side of the tiles of small pictures here"""
WHOLE = 5000
"""of a tile that is never too small"""
RESNET: dict[str, Any] = {"kind": "resnet", "width": 8, "blocks": 1, "norm": "instance"}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet": ("cyclegan", {"generator": {**RESNET, "upsample": "transposed", "skips": False}}),
    "resnet, nearest": ("cyclegan", {"generator": {**RESNET, "upsample": "nearest", "skips": True}}),
    "unet": ("pix2pix", {"generator": {"kind": "unet", "width": 8, "depth": 3, "norm": "instance"}}),
    "unet, batch": ("pix2pix", {"generator": {"kind": "unet", "width": 8, "depth": 4, "norm": "batch"}}),
    "srresnet": ("srgan", {"game": {"factor": 2}, "generator": {"width": 8, "blocks": 2}}),
    "filling": ("inpaint", {"generator": RESNET}),
}


@torch.no_grad()
def vivid(name: str) -> Translator:
    """Untrained, the last layer set so that neither everything is grey nor black and white."""
    family, overrides = NETWORKS[name]
    recipe = resolve(family, seed=1, overrides=overrides)[1]
    made = build_generator(recipe).eval()
    network = made["a2b"] if isinstance(made, nn.ModuleDict) else made
    first, *_, last = [weight for weight in network.parameters() if weight.ndim > 1]
    noise = torch.rand(1, first.shape[1], 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    last.mul_(0.4 / network(noise).atanh().std())
    return Translator(network, recipe.side_multiple, recipe.upscaling, family == "inpaint", recipe.receptive_radius)


def scene(height: int, width: int, channels: int = 3) -> Array:
    """Dark at the left and bright at the right, as no tile is, with a little grain."""
    slope = np.linspace(10, 240, width) + 0 * np.arange(height)[:, None]
    grain = np.random.default_rng(1).normal(0, 4, (height, width, channels))
    return np.clip(slope[..., None] + grain, 0, 255).astype(np.uint8)


def given(translator: Translator, height: int, width: int) -> Array:
    """A scene as the translator takes it; a hole lies across the middle."""
    channels = next(weight for weight in translator.network.parameters() if weight.ndim > 1).shape[1]
    image = scene(height, width, channels)
    if translator.fills:
        image[..., -1] = 0
        image[height // 4 : -height // 4, width // 8 : -width // 8, -1] = 255
    return image


@torch.inference_mode()
def made(
    translator: Translator, image: Array, tile: int = TILE_SIDE, statistics: NormStatistics | None = None
) -> Array:
    *_, picture = translate_in_tiles(translator, image, CPU, tile=tile, statistics=statistics)
    assert picture is not None
    return picture


def whole(translator: Translator, image: Array) -> tuple[Array, NormStatistics]:
    """The picture made in one piece, and what its norms saw."""
    with recording(translator.network) as seen:
        return made(translator, image, WHOLE), seen


def difference(one: Array, other: Array) -> Array:
    return np.abs(one.astype(np.int16) - other)


@pytest.mark.sampled(quick=4)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [(333, 401), (16, 700), (500, 17)])
def test_with_the_same_statistics_tiles_are_as_the_whole(name: str, shape: tuple[int, int]) -> None:
    translator = vivid(name)
    image = given(translator, *shape)
    picture, seen = whole(translator, image)
    tiled = made(translator, image, TILED, seen)
    assert picture.std() > 5
    assert tiled.shape == picture.shape
    assert difference(tiled, picture).max() <= 1


@pytest.mark.slow
def test_so_are_tiles_of_the_size_that_is_served() -> None:
    translator = vivid("resnet, nearest")
    image = scene(997, 1501)
    picture, seen = whole(translator, image)
    assert difference(made(translator, image, statistics=seen), picture).max() <= 1


@pytest.mark.slow
def test_a_reduced_picture_has_nearly_the_statistics_of_the_whole() -> None:
    """And a tile's own are far from them."""
    translator = vivid("resnet")
    image = scene(800, 1200)
    picture, _ = whole(translator, image)
    reduced = difference(made(translator, image), picture).mean()
    own = difference(made(translator, image, statistics={}), picture).mean()
    assert reduced < 4
    assert own > 4 * reduced


def jump(picture: Array, seams: list[int]) -> float:
    """Of columns: the largest change across a seam, as a multiple of what it is across its neighbours."""
    change = np.abs(np.diff(picture.astype(np.float32), axis=1)).mean(axis=(0, 2))
    near = [np.r_[change[seam - 9 : seam - 1], change[seam : seam + 8]].mean() for seam in seams]
    return max(float(change[seam - 1] / around) for seam, around in zip(seams, near, strict=True))


def seams(windows: list[Window]) -> list[int]:
    return [window.start for window in windows[1:]]


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("name", ["resnet", "resnet, nearest", "unet"])
def test_no_seam_shows(name: str) -> None:
    translator = vivid(name)
    image = scene(300, 1200)
    at = seams(_windows(1200, translator, 256))
    assert len(at) >= 5
    assert jump(made(translator, image, 256), at) <= 1.5
    turned = made(translator, image.swapaxes(0, 1), 256).swapaxes(0, 1)
    assert jump(turned, at) <= 1.5


def test_tiles_that_norm_alone_show_where_they_meet() -> None:
    """Of the network that draws no checkerboard of its own over it."""
    translator = vivid("resnet, nearest")
    naive = made(translator, scene(300, 1200), 256, statistics={})
    assert jump(naive, seams(_windows(1200, translator, 256))) > 1.8


def test_where_the_network_reaches_over_a_tile_they_fade_into_each_other() -> None:
    translator = vivid("unet, batch")
    image, at = scene(300, 1200), seams(_windows(1200, translator, 128))
    assert _windows(1200, translator, 128)[1].fade > 0
    assert jump(made(translator, image, 128), at) <= 1.5


def test_translations_between_each_other_s_tiles_do_not_meet() -> None:
    """The network is shared, and the statistics are not."""
    translator = vivid("resnet")
    images = [scene(300, 400), 255 - scene(400, 300)]
    small = images[0][:90, :90]
    alone = [made(translator, image, TILED) for image in images]
    untouched = made(translator, small)
    ways = [translate_in_tiles(translator, image, CPU, tile=TILED) for image in images]
    ends: list[Array] = []
    with torch.inference_mode():
        while len(ends) < len(ways):
            ends += [piece for way in ways if (piece := next(way, None)) is not None]
            assert (made(translator, small) == untouched).all()
    assert sorted(end.tobytes() for end in ends) == sorted(picture.tobytes() for picture in alone)


def peak(height: int, width: int) -> int:
    command = [sys.executable, "-P", "-m", "tests.support.memory", str(height), str(width)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.long
@pytest.mark.parametrize(("shape", "bound"), [((5000, 5000), 160_000_000)])
def test_25_megapixels_need_little_more_than_what_comes_back(shape: tuple[int, int], bound: int) -> None:
    """Measured: 109 MB, of which the picture itself is 75; sums in floats took 460."""
    assert peak(*shape) < bound
