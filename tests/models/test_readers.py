"""The readers of examples/readers draw the same latents; that of safetensors computes every family that it names."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from app.core.settings import CHECKOUT
from models.build import build_generator
from models.export import load_export, write_export
from models.recalibration import recalibrate_batchnorm
from models.spec.families import BUILT_IN
from models.spec.recipe import Recipe
from tests.support.recipes import small_recipe

Json = dict[str, Any]
DRAWN = (
    "gan", "cgan", "dcgan", "cdcgan", "acgan", "wgan", "wgan_gp", "lsgan", "began", "d2gan", "unrolled", "pacgan",
    "minibatch", "autoencoder", "linear_autoencoder", "vae", "beta_vae", "mdgan", "sngan", "r3gan",
)  # fmt: skip
TRANSLATED = ("cyclegan", "pix2pix")
VARIANTS: tuple[tuple[str, Json], ...] = (
    ("dcgan", {"data": {"side": 30}, "generator": {"width": 4, "norm": "none"}}),
    ("cdcgan", {"data": {"side": 64}, "generator": {"width": 4, "refine": False}}),
    ("cgan", {"generator": {"hidden": [8, 9], "activation": "tanh", "dropout": 0.2}}),
    ("sngan", {"game": {"conditional": True}, "data": {"side": 28}, "latent": {"kind": "uniform"}}),
)
UNETS: tuple[Json, ...] = (
    {"norm": "batch", "depth": 3},
    {"norm": "instance", "dropout": 0.5, "depth": 4},
    {"norm": "none", "depth": 1},
    {"norm": "batch", "depth": 2, "skips": False},
)
RESNETS: tuple[Json, ...] = (
    {"norm": "instance", "upsample": "transposed", "skips": False, "blocks": 2},
    {"norm": "none", "upsample": "nearest", "skips": True, "blocks": 0},
)


READERS = ("read_safetensors", "read_onnx", "read_torch_export")


def loaded(name: str) -> ModuleType:
    spec = spec_from_file_location(name, CHECKOUT / "examples" / "readers" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reader() -> ModuleType:
    return loaded("read_safetensors")


def levels(examples: Tensor) -> Tensor:
    """Return pictures in [-1, 1] as one row of levels [height, width, channels]."""
    return ((torch.cat(list(examples), 2).permute(1, 2, 0) + 1) * 127.5).clamp(0, 255)


def assert_same_picture(path: Path, examples: Tensor) -> None:
    drawn, expected = np.asarray(Image.open(path)).astype(np.float32), levels(examples).numpy()
    assert drawn.std() > 2
    assert np.abs(drawn.reshape(expected.shape) - expected).max() < 0.51


@torch.no_grad()
def networks(tmp_path: Path, recipe: Recipe) -> tuple[str, dict[str, nn.Module]]:
    """Export initial weights, six times as large in every layer, so that pictures are not grey."""
    generator = build_generator(recipe)
    for weight in generator.parameters():
        weight.mul_(6 if weight.ndim > 1 else 1)
    recalibrate_batchnorm(generator, recipe, batches=1)
    write_export(tmp_path / "weights", recipe, 0, generator)
    return str(tmp_path / "weights"), load_export(tmp_path / "weights").networks


@pytest.mark.parametrize(("family", "overrides"), [*((family, {}) for family in DRAWN), *VARIANTS])
def test_reader_draws_the_pictures_of_every_family_that_it_names(
    reader: ModuleType, tmp_path: Path, family: str, overrides: Json
) -> None:
    recipe = small_recipe(family, **overrides)
    file, found = networks(tmp_path, recipe)
    reader.main(file, str(tmp_path / "out.png"))
    z = torch.from_numpy(reader.latents(recipe.latent.model_dump()))
    label = torch.arange(16) % recipe.classes if recipe.classes else None
    assert_same_picture(tmp_path / "out.png", found["generator"](z, label))


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_all_readers_draw_the_same_latents(kind: str) -> None:
    latent = {"kind": kind, "size": 9, "scale": 0.5}
    first, *others = (loaded(name).latents(latent) for name in READERS)
    assert (first.shape, first.dtype) == ((16, 9), np.float32)
    assert all((first == other).all() for other in others)
    assert first.std() == pytest.approx(0.5 if kind == "normal" else 0.5 / 3**0.5, abs=0.1)


def test_reader_of_safetensors_prints_the_parity_of_the_card(
    reader: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, _ = networks(tmp_path, small_recipe("dcgan"))
    reader.main(file, str(tmp_path / "out.png"))
    assert capsys.readouterr().out == "parity: in card.json of the export, which is not beside the file\n"
    programs = [{"name": "generator", "parity": {"max_abs": 0.25}}, {"name": "b2a", "parity": {"max_abs": 0.5}}]
    (tmp_path / "card.json").write_text(json.dumps({"programs": programs}))
    reader.main(file, str(tmp_path / "out.png"))
    assert capsys.readouterr().out == "parity: {'max_abs': 0.25}\n"
    reader.print_parity(tmp_path / "card.json", "b2a")
    assert capsys.readouterr().out == "parity: {'max_abs': 0.5}\n"


@pytest.mark.parametrize(
    ("family", "generator", "direction"),
    [
        *(("pix2pix", {"kind": "unet", "width": 4} | unet, None) for unet in UNETS),
        *(("cyclegan", {"width": 4} | resnet, direction) for resnet in RESNETS for direction in ("a2b", "b2a")),
    ],
)
def test_reader_translates_as_every_translator_that_it_names(
    reader: ModuleType, tmp_path: Path, family: str, generator: Json, direction: str | None
) -> None:
    file, found = networks(tmp_path, small_recipe(family, generator=generator, data={"side": 16}))
    photo = Image.effect_mandelbrot((48, 32), (-2, -1, 1, 1), 20).convert("RGB")
    photo.save(tmp_path / "photo.png")
    reader.main(file, str(tmp_path / "out.png"), str(tmp_path / "photo.png"), *([direction] if direction else []))
    x = torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    assert_same_picture(tmp_path / "out.png", found[direction or "generator"](x))


@pytest.mark.parametrize("family", sorted(BUILT_IN.keys() - {*DRAWN, *TRANSLATED}))
def test_reader_refuses_other_families_and_names_the_formats_to_take(
    reader: ModuleType, tmp_path: Path, family: str
) -> None:
    file, _ = networks(tmp_path, small_recipe(family))
    arguments = [file, str(tmp_path / "out.png"), "photo.png"]
    for count in (2, 3):
        with pytest.raises(SystemExit, match="take the format onnx or torch_export"):
            reader.main(*arguments[:count])
    assert not (tmp_path / "out.png").exists()


def test_reader_names_every_family_that_it_reads(reader: ModuleType) -> None:
    words = (reader.__doc__ or "").replace(",", " ").replace(".", " ").split()
    assert {*DRAWN, *TRANSLATED} <= {*words}
