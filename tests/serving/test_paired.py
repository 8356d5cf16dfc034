"""The engine on exports of the paired game: what is given goes in, and what is made comes out at its size."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

os.environ.setdefault("GOMP_SPINCOUNT", "0")

from models.export import load_export
from models.spec.resolve import resolve
from serving.engine import Engine
from tests.support.exports import write_vivid

MakeExport = Callable[..., Path]
SMALL: dict[str, dict[str, Any]] = {
    "pix2pix": {"generator": {"width": 8, "depth": 2}},
    "srgan": {"generator": {"width": 8, "blocks": 1}},
    "inpaint": {"generator": {"width": 8, "blocks": 1}},
}


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> MakeExport:
    folder = tmp_path_factory.mktemp("exports")

    def make(family: str, name: str = "", **overrides: Any) -> Path:
        path = folder / f"{family}{name}.safetensors"
        write_vivid(path, resolve(family, seed=1, overrides=SMALL.get(family, {}) | overrides)[1])
        return path

    return make


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(device="cpu", threads=1)
    yield engine
    engine.close()


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


DEEP: dict[str, Any] = {"width": 8, "depth": 5}
RESNET: dict[str, Any] = {"kind": "resnet", "width": 8, "blocks": 1}


@pytest.mark.parametrize("generator", [RESNET, DEEP])
def test_pairs_are_translated_at_the_size_of_the_picture(
    engine: Engine, export: MakeExport, generator: dict[str, Any]
) -> None:
    path, image = export("pix2pix", str(len(generator)), generator=generator), noise(70, 33, 3)
    made = engine.translate(path, image, "a2b").result()
    assert made.shape == image.shape
    assert made.std() > 5
    assert (engine.translate(path, image, "a2b").result() == made).all()


def test_a_picture_that_divides_comes_back_as_the_network_makes_it(engine: Engine, export: MakeExport) -> None:
    path, image = export("pix2pix"), noise(64, 32, 3)
    network = load_export(path).networks["generator"]
    with torch.inference_mode():
        x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
        expected = ((network(x)[0] + 1) * 127.5).permute(1, 2, 0)
    assert np.abs(engine.translate(path, image, "a2b").result() - expected.numpy()).max() <= 0.51


@pytest.mark.parametrize("factor", [2, 4])
def test_one_that_enlarges_does_so(engine: Engine, export: MakeExport, factor: int) -> None:
    path = export("srgan", str(factor), game={"factor": factor})
    made = engine.translate(path, noise(17, 30, 1), "a2b").result()
    assert made.shape == (17 * factor, 30 * factor, 1)


def test_a_large_picture_counts_by_what_it_becomes(export: MakeExport) -> None:
    engine = Engine(device="cpu", threads=1, bound=100)
    path = export("srgan", "2", game={"factor": 2})
    engine.translate(path, noise(128, 128, 1), "a2b", pixels=256 * 256)
    assert engine.load()[0] in (0, 5)
    engine.close()


def test_a_hole_is_filled_and_the_rest_is_kept(engine: Engine, export: MakeExport) -> None:
    path, image = export("inpaint"), noise(33, 20, 2)
    image[..., 1] = 0
    image[4:20, 3:9, 1] = 255
    made = engine.translate(path, image, "a2b").result()
    assert made.shape == (33, 20, 1)
    hole = image[..., 1] == 255
    assert (made[~hole] == image[..., :1][~hole]).all()
    image[hole, 0] = 7
    assert (engine.translate(path, image, "a2b").result() == made).all(), "what was in the hole plays no part"


@pytest.mark.parametrize(("mask", "where"), [("centre", np.s_[8:24, 5:15]), ("left", np.s_[:, :10])])
def test_without_a_hole_it_is_where_the_training_had_it(
    engine: Engine, export: MakeExport, mask: str, where: Any
) -> None:
    image = noise(32, 20, 1)
    made = engine.translate(export("inpaint", mask, game={"mask": mask}), image, "a2b").result()
    same = (made == image)[..., 0]
    hole = np.zeros(same.shape, bool)
    hole[where] = True
    assert same[~hole].all()
    assert same[hole].mean() < 0.2


def test_holes_anywhere_must_be_shown(engine: Engine, export: MakeExport) -> None:
    with pytest.raises(ValueError, match="mark the hole"):
        engine.translate(export("inpaint"), noise(32, 20, 1), "a2b").result()
