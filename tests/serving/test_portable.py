"""Exported files compute what Forger serves: every family in every format, at free sizes, with the same bytes again."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from models.build import build_generator
from models.export import write_export
from models.spec.families import BUILT_IN
from models.spec.portable import SUFFIXES, PortableFormat, limits, programs, refusal
from models.spec.resolve import resolve
from serving.portable import main as portable
from tests.support.exports import write_vivid
from tests.support.recipes import small_recipe

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PARITY_BOUND = 1e-4


def written(folder: Path, family: str, format_: PortableFormat, **overrides: Any) -> tuple[Path, dict[str, Any]]:
    """Write a small model of a family in a format; return the folder of the files and their report."""
    export, files = folder / "export", folder / "files"
    files.mkdir()
    write_vivid(export, small_recipe(family, **overrides))
    portable.main(export, format_, files, None)
    return files, json.loads((files / portable.REPORT_FILE).read_text())


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("family", "format_"), [*product(BUILT_IN, SUFFIXES)])
def test_every_family_is_exported_in_every_format_with_parity(
    tmp_path: Path, family: str, format_: PortableFormat
) -> None:
    _, report = written(tmp_path, family, format_)
    assert report["programs"].keys() == {program.name for program in programs(small_recipe(family))}
    assert report["parity"]["inputs"] == 64
    assert report["parity"]["max_abs"] < PARITY_BOUND


@pytest.mark.parametrize("format_", ["onnx", "torch_export"])
def test_unet_that_halves_its_pictures_to_one_pixel_is_exported(tmp_path: Path, format_: PortableFormat) -> None:
    generator = {"kind": "unet", "width": 4, "depth": 6, "norm": "instance"}
    _, report = written(tmp_path, "pix2pix", format_, generator=generator, data={"side": 64})
    assert report["parity"]["max_abs"] < PARITY_BOUND


def test_onnx_translator_takes_any_batch_and_any_sides_that_fit(tmp_path: Path) -> None:
    import onnxruntime

    files, _ = written(tmp_path, "srgan", "onnx")
    session = onnxruntime.InferenceSession(files / "translator.onnx", providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    assert port.shape == ["batch", 1, "height", "width"]
    assert session.get_outputs()[0].shape == ["batch", 1, "2*height", "2*width"]
    for batch, height, width in ((1, 16, 16), (3, 17, 40)):
        (output,) = session.run(None, {port.name: torch.zeros(batch, 1, height, width).numpy()})
        assert output.shape == (batch, 1, 2 * height, 2 * width)
    facts = json.loads(session.get_modelmeta().custom_metadata_map["forger"])
    assert facts["parity"]["inputs"] == 64
    assert facts["program"]["name"] == "translator"


def test_torch_export_of_a_unet_takes_multiples_of_its_sides_and_has_no_dropout(tmp_path: Path) -> None:
    unet = {"kind": "unet", "width": 4, "depth": 2, "dropout": 0.5}
    recipe = small_recipe("pix2pix", generator=unet)
    files, _ = written(tmp_path, "pix2pix", "torch_export", generator=unet)
    program = torch.export.load(files / "translator.pt2").module()
    picture = torch.rand(2, 3, 20, 48) * 2 - 1
    assert torch.equal(program(picture), program(picture))
    assert any("dropout of pix2pix is off" in sentence for sentence in limits(recipe))


@pytest.mark.parametrize("format_", ["onnx", "torch_export"])
def test_equal_exports_give_equal_files_without_paths_of_this_machine(tmp_path: Path, format_: PortableFormat) -> None:
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files, _ = written(tmp_path / name, "cdcgan", format_, generator={"width": 4})
        contents.append((files / f"generator{SUFFIXES[format_]}").read_bytes())
    assert contents[0] == contents[1]
    assert str(Path(portable.__file__).parents[2]).encode() not in contents[0]


def test_model_that_diverged_is_exported_without_a_number_for_its_parity(tmp_path: Path) -> None:
    export, files = tmp_path / "export", tmp_path / "files"
    files.mkdir()
    recipe = resolve("gan", dataset="ring8", seed=1)[1]
    generator = build_generator(recipe)
    with torch.no_grad():
        next(generator.parameters()).fill_(torch.inf)
    write_export(export, recipe, 0, generator)
    portable.main(export, "torch_export", files, None)
    report = json.loads((files / portable.REPORT_FILE).read_text())
    assert report["parity"] == {"inputs": 64, "max_abs": None, "mean_abs": None}


def test_onnx_refuses_models_beyond_two_gibibytes_and_names_formats_that_hold_them() -> None:
    assert refusal("onnx", 1_000_000_000) is None
    sentence = refusal("onnx", 3_000_000_000)
    assert sentence is not None
    assert "safetensors or torch_export" in sentence
    assert refusal("torch_export", 3_000_000_000) is None
