"""The card of a version as a page for people."""

from typing import Any

import pytest

from app.services.models import card
from models.spec.datasets import UNKNOWN_DATASET

Json = dict[str, Any]
LATENTS = [{"name": "z", "dtype": "float32", "shape": ["batch", 8], "meaning": "latents"}]
PHOTO = [{"name": "picture", "dtype": "float32", "shape": ["batch", 3, "height", "width"], "meaning": "a picture"}]
OUTPUT = {"name": "examples", "dtype": "float32", "shape": ["batch", 1, 8, 8], "meaning": "pictures"}
PARITY = {"max_abs": 0.0, "mean_abs": 0.0, "inputs": 64, "meaning": "difference", "versions": {"torch": "2"}}
WATCHED, EVALUATED = {"n_real": 256, "of": "watch"}, {"n_real": 5000, "of": "evaluation"}


def program(name: str, file: str, inputs: list[Json]) -> Json:
    return {"name": name, "file": file, "inputs": inputs, "output": OUTPUT, "parity": PARITY}


def page(**changes: Any) -> str:
    data = {"dataset": "pets", "source": "uploaded", "sha256": "ab", "no_digest": None, "class_names": ()}
    content: Json = {
        "model": "pets@1", "step": 3, "format": "onnx", "forger": "1", "licence": None, "source": None, "samples": None,
        "recipe": {"generator": {"kind": "dcgan"}, "game": {"kind": "single"}},
        "programs": [program("generator", "generator.onnx", LATENTS)], "parity": PARITY, "figures": [], "limits": [],
    }  # fmt: skip
    return card.markdown(content | {"data": data | changes.pop("data", {})} | changes)


def test_provenance_is_written_once_for_all_figures_that_share_it() -> None:
    provenances = {"frechet": WATCHED, "coverage": WATCHED, "probe": EVALUATED}
    figures = [{"name": name, "value": 1.5, "step": 3, "provenance": one} for name, one in provenances.items()]
    text = page(figures=figures)
    assert "| figure | value | step |\n|---|---|---|\n| frechet | 1.5 | 3 |\n" in text
    assert 'Provenance of frechet and coverage: `{"n_real": 256, "of": "watch"}`\n' in text
    assert 'Provenance of probe: `{"n_real": 5000, "of": "evaluation"}`\n' in text
    assert text.count("n_real") == 2


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("cat", "dog"), "\n- Classes: 0 `cat` and 1 `dog`\n"),
        (("0", "1", "2"), "\n- Classes: 0 to 2\n"),
        (("1", "0"), "\n- Classes: 0 `1` and 1 `0`\n"),
    ],
)
def test_classes_are_listed_with_their_names(names: tuple[str, ...], line: str) -> None:
    assert line in page(data={"class_names": names})
    assert "Classes" not in page()


def test_card_of_foreign_weights_promises_no_training() -> None:
    foreign, trained = page(data={"dataset": UNKNOWN_DATASET}, step=0), page()
    assert "trained elsewhere" in foreign
    assert "after 3 steps" in trained
    assert ("trains the same model" in trained, "trains the same model" in foreign) == (True, False)
    assert ("- Data: pets (uploaded);" in trained, "- Data: not recorded;" in foreign) == (True, True)


@pytest.mark.parametrize(
    ("format_", "programs", "commands"),
    [
        (
            "onnx",
            [program("decoder", "decoder.onnx", LATENTS), program("encoder", "encoder.onnx", PHOTO)],
            ["python read_onnx.py decoder.onnx out.png"],
        ),
        (
            "torch_export",
            [program("translator", "translator.pt2", PHOTO)],
            ["python read_torch_export.py translator.pt2 out.png photo.png"],
        ),
        (
            "safetensors",
            [program(name, "weights.safetensors", PHOTO) for name in ("a2b", "b2a")],
            [
                "python read_safetensors.py weights.safetensors out.png photo.png",
                "python read_safetensors.py weights.safetensors out.png photo.png b2a",
            ],
        ),
    ],
)
def test_card_says_how_to_run_the_reader(format_: str, programs: list[Json], commands: list[str]) -> None:
    block = page(format=format_, programs=programs).partition("```sh\n")[2].partition("\n```")[0]
    assert block.splitlines() == commands
