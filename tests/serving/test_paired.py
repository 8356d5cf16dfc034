"""The engine on exports of the paired game: its inputs, the size of its outputs, and holes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.export import load_export
from serving.engine import Engine
from tests.serving.conftest import WriteExport

SMALL: dict[str, dict[str, Any]] = {
    "pix2pix": {"generator": {"width": 8, "depth": 2}},
    "srgan": {"generator": {"width": 8, "blocks": 1}},
    "inpaint": {"generator": {"width": 8, "blocks": 1}},
}


def small_export(export: WriteExport, family: str, **overrides: Any) -> Path:
    return export(family, **SMALL[family] | overrides)


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


DEEP: dict[str, Any] = {"width": 8, "depth": 5}
RESNET: dict[str, Any] = {"kind": "resnet", "width": 8, "blocks": 1}


@pytest.mark.parametrize("generator", [RESNET, DEEP])
def test_paired_translation_keeps_the_size_of_the_picture(
    engine: Engine, export: WriteExport, generator: dict[str, Any]
) -> None:
    path, image = small_export(export, "pix2pix", generator=generator), noise(70, 33, 3)
    output = engine.translate(path, image, "a2b").result()
    assert output.shape == image.shape
    assert output.std() > 5
    assert (engine.translate(path, image, "a2b").result() == output).all()


def test_picture_whose_sides_divide_is_translated_as_by_the_bare_network(engine: Engine, export: WriteExport) -> None:
    path, image = small_export(export, "pix2pix"), noise(64, 32, 3)
    network = load_export(path).networks["generator"]
    with torch.inference_mode():
        x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
        expected = ((network(x)[0] + 1) * 127.5).permute(1, 2, 0)
    assert np.abs(engine.translate(path, image, "a2b").result() - expected.numpy()).max() <= 0.51


@pytest.mark.parametrize("factor", [2, 4])
def test_super_resolution_enlarges_the_picture_by_its_factor(engine: Engine, export: WriteExport, factor: int) -> None:
    path = small_export(export, "srgan", game={"factor": factor})
    output = engine.translate(path, noise(17, 30, 1), "a2b").result()
    assert output.shape == (17 * factor, 30 * factor, 1)


def test_load_counts_a_translation_by_its_output_pixels(export: WriteExport) -> None:
    engine = Engine(device="cpu", threads=1, bound=100)
    path = small_export(export, "srgan", game={"factor": 2})
    engine.translate(path, noise(128, 128, 1), "a2b", pixels=256 * 256)
    assert engine.load()[0] in (0, 5)
    engine.close()


def test_inpainting_fills_the_hole_and_keeps_the_rest(engine: Engine, export: WriteExport) -> None:
    path, image = small_export(export, "inpaint"), noise(33, 20, 2)
    image[..., 1] = 0
    image[4:20, 3:9, 1] = 255
    output = engine.translate(path, image, "a2b").result()
    assert output.shape == (33, 20, 1)
    hole = image[..., 1] == 255
    assert (output[~hole] == image[..., :1][~hole]).all()
    image[hole, 0] = 7
    assert (engine.translate(path, image, "a2b").result() == output).all(), "the content of the hole is not used"


@pytest.mark.parametrize(("mask", "hole_area"), [("centre", np.s_[8:24, 5:15]), ("left", np.s_[:, :10])])
def test_inpainting_without_a_mask_fills_the_hole_of_the_training(
    engine: Engine, export: WriteExport, mask: str, hole_area: Any
) -> None:
    image = noise(32, 20, 1)
    output = engine.translate(small_export(export, "inpaint", game={"mask": mask}), image, "a2b").result()
    same = (output == image)[..., 0]
    hole = np.zeros(same.shape, bool)
    hole[hole_area] = True
    assert same[~hole].all()
    assert same[hole].mean() < 0.2


def test_inpainting_of_random_holes_requires_a_mask(engine: Engine, export: WriteExport) -> None:
    with pytest.raises(ValueError, match="mark the hole"):
        engine.translate(small_export(export, "inpaint"), noise(32, 20, 1), "a2b").result()
