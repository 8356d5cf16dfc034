"""A large picture in tiles equals the picture in one piece if the norm statistics are equal, and shows no seams."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serving.frozen_norms import NormStatistics, recording
from serving.tiling import TILE_SIDE, Translator, Window, _windows, translate_in_tiles
from tests.support.networks import vivid_translator

CPU = torch.device("cpu")
Array = NDArray[Any]
SMALL_TILE = 192
"""side of the tiles in which small pictures are translated"""
ONE_TILE = 5000
"""side of a tile that holds the whole picture"""
RESNET: dict[str, Any] = {"kind": "resnet", "width": 8, "blocks": 1, "norm": "instance"}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet": ("cyclegan", {"generator": {**RESNET, "upsample": "transposed", "skips": False}}),
    "resnet, nearest": ("cyclegan", {"generator": {**RESNET, "upsample": "nearest", "skips": True}}),
    "unet": ("pix2pix", {"generator": {"kind": "unet", "width": 8, "depth": 3, "norm": "instance"}}),
    "unet, batch": ("pix2pix", {"generator": {"kind": "unet", "width": 8, "depth": 4, "norm": "batch"}}),
    "srresnet": ("srgan", {"game": {"factor": 2}, "generator": {"width": 8, "blocks": 2}}),
    "filling": ("inpaint", {"generator": RESNET}),
}


def scene(height: int, width: int, channels: int = 3) -> Array:
    """Return a picture that is dark at the left and bright at the right, which no tile is, with a little grain."""
    gradient = np.linspace(10, 240, width) + 0 * np.arange(height)[:, None]
    grain = np.random.default_rng(1).normal(0, 4, (height, width, channels))
    return np.clip(gradient[..., None] + grain, 0, 255).astype(np.uint8)


def input_for(translator: Translator, height: int, width: int) -> Array:
    """Return a scene with the channels that the translator takes; a hole lies across the middle."""
    channels = next(weight for weight in translator.network.parameters() if weight.ndim > 1).shape[1]
    image = scene(height, width, channels)
    if translator.fills:
        image[..., -1] = 0
        image[height // 4 : -height // 4, width // 8 : -width // 8, -1] = 255
    return image


@torch.inference_mode()
def translated(
    translator: Translator, image: Array, tile: int = TILE_SIDE, statistics: NormStatistics | None = None
) -> Array:
    *_, picture = translate_in_tiles(translator, image, CPU, tile=tile, statistics=statistics)
    assert picture is not None
    return picture


def translated_whole(translator: Translator, image: Array) -> tuple[Array, NormStatistics]:
    """Return the picture translated in one piece, and the statistics of its norms."""
    with recording(translator.network) as statistics:
        return translated(translator, image, ONE_TILE), statistics


def difference(one: Array, other: Array) -> Array:
    return np.abs(one.astype(np.int16) - other)


@pytest.mark.sampled(quick=4)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [(333, 401), (16, 700), (500, 17)])
def test_tiles_equal_the_whole_picture_with_the_same_statistics(name: str, shape: tuple[int, int]) -> None:
    translator = vivid_translator(*NETWORKS[name])
    image = input_for(translator, *shape)
    picture, statistics = translated_whole(translator, image)
    tiled = translated(translator, image, SMALL_TILE, statistics)
    assert picture.std() > 5
    assert tiled.shape == picture.shape
    assert difference(tiled, picture).max() <= 1


@pytest.mark.slow
def test_tiles_of_the_served_size_equal_the_whole_picture() -> None:
    translator = vivid_translator(*NETWORKS["resnet, nearest"])
    image = scene(997, 1501)
    picture, statistics = translated_whole(translator, image)
    assert difference(translated(translator, image, statistics=statistics), picture).max() <= 1


@pytest.mark.slow
def test_statistics_of_a_reduced_picture_are_nearer_to_the_whole_than_of_tiles() -> None:
    translator = vivid_translator(*NETWORKS["resnet"])
    image = scene(800, 1200)
    picture, _ = translated_whole(translator, image)
    reduced = difference(translated(translator, image), picture).mean()
    separate = difference(translated(translator, image, statistics={}), picture).mean()
    assert reduced < 4
    assert separate > 4 * reduced


def largest_jump(picture: Array, seams: list[int]) -> float:
    """Return the largest change across a seam between columns, relative to the change across nearby columns."""
    change = np.abs(np.diff(picture.astype(np.float32), axis=1)).mean(axis=(0, 2))
    near = [np.r_[change[seam - 9 : seam - 1], change[seam : seam + 8]].mean() for seam in seams]
    return max(float(change[seam - 1] / around) for seam, around in zip(seams, near, strict=True))


def seams(windows: list[Window]) -> list[int]:
    return [window.start for window in windows[1:]]


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("name", ["resnet", "resnet, nearest", "unet"])
def test_tiled_translation_shows_no_seam(name: str) -> None:
    translator = vivid_translator(*NETWORKS[name])
    image = scene(300, 1200)
    columns = seams(_windows(1200, translator, 256))
    assert len(columns) >= 5
    assert largest_jump(translated(translator, image, 256), columns) <= 1.5
    transposed = translated(translator, image.swapaxes(0, 1), 256).swapaxes(0, 1)
    assert largest_jump(transposed, columns) <= 1.5


def test_tiles_with_their_own_statistics_show_seams() -> None:
    """The network is the one that adds no checkerboard pattern of its own."""
    translator = vivid_translator(*NETWORKS["resnet, nearest"])
    separate = translated(translator, scene(300, 1200), 256, statistics={})
    assert largest_jump(separate, seams(_windows(1200, translator, 256))) > 1.8


def test_tiles_fade_into_each_other_if_the_network_reaches_beyond_them() -> None:
    translator = vivid_translator(*NETWORKS["unet, batch"])
    image, columns = scene(300, 1200), seams(_windows(1200, translator, 128))
    assert _windows(1200, translator, 128)[1].fade > 0
    assert largest_jump(translated(translator, image, 128), columns) <= 1.5


def test_interleaved_translations_do_not_change_each_other() -> None:
    """They share the network and not the statistics."""
    translator = vivid_translator(*NETWORKS["resnet"])
    images = [scene(300, 400), 255 - scene(400, 300)]
    small = images[0][:90, :90]
    separate = [translated(translator, image, SMALL_TILE) for image in images]
    undisturbed = translated(translator, small)
    translations = [translate_in_tiles(translator, image, CPU, tile=SMALL_TILE) for image in images]
    results: list[Array] = []
    with torch.inference_mode():
        while len(results) < len(translations):
            results += [piece for translation in translations if (piece := next(translation, None)) is not None]
            assert (translated(translator, small) == undisturbed).all()
    assert sorted(result.tobytes() for result in results) == sorted(picture.tobytes() for picture in separate)


def memory_growth(height: int, width: int) -> int:
    command = [sys.executable, "-P", "-m", "tests.support.memory", str(height), str(width)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.long
@pytest.mark.parametrize(("shape", "bound"), [((5000, 5000), 160_000_000)])
def test_25_megapixels_take_little_more_memory_than_the_result(shape: tuple[int, int], bound: int) -> None:
    """Measured: 109 MB, of which the picture itself is 75; sums in float took 460."""
    assert memory_growth(*shape) < bound
