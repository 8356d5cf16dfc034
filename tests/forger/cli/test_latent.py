"""`forger interpolate` and `forger latent` against a real service, and the grammar of sums."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from forger.cli.latent import parse_sum
from forger.cli.refusals import Refusal
from tests.forger.cli.conftest import Run, output_of, refusal_of, run_forger
from tests.support.service import Service


@pytest.fixture(scope="module")
def trained(service: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Train cdcgan-digits@1."""
    folder = tmp_path_factory.mktemp("trained")
    output_of(run_forger(folder, service.env(), "train", "cdcgan", "--dataset", "digits", "--steps", "4", "--follow"))


@pytest.mark.usefixtures("trained")
def test_interpolation_is_saved_in_the_format_of_the_ending(run: Run, tmp_path: Path) -> None:
    for name, format_, n in (("way.png", "PNG", 1), ("way.webp", "WEBP", 4), ("way.apng", "PNG", 4)):
        output = output_of(run("interpolate", "1:3", "2:7", "--frames", "4", "-o", name))
        assert output == f"{name}: 1:3 to 2:7, by cdcgan-digits@1\n"
        with Image.open(tmp_path / name) as picture:
            assert (picture.format, getattr(picture, "n_frames", 1)) == (format_, n)
    assert "two samples" in refusal_of(run("interpolate", "1"))
    assert "no class '12'" in refusal_of(run("interpolate", "1:12", "2"))


@pytest.mark.usefixtures("trained")
def test_latents_are_drawn_and_shown(run: Run, tmp_path: Path) -> None:
    drawn = output_of(run("latent", "draw", "-n", "3", "--seed", "1", "-o", "z.json"))
    assert drawn == "z.json: 3 latents, seed 1, by cdcgan-digits@1\n"
    assert len(json.loads((tmp_path / "z.json").read_text())["latents"][0]) == 64
    output_of(run("latent", "show", "z.json", "-o", "z.npy"))
    output_of(run("sample", "-n", "3", "--seed", "1", "-o", "same.npy"))
    assert (tmp_path / "z.npy").read_bytes() == (tmp_path / "same.npy").read_bytes()
    output_of(run("latent", "show", "z.json", "--class", "7", "-o", "sevens.png"))
    (tmp_path / "bare.json").write_text(json.dumps([[0.5] * 64]))
    assert "names no model" in refusal_of(run("latent", "show", "bare.json"))
    output_of(run("latent", "show", "bare.json", "--model", "cdcgan-digits", "--class", "1"))
    (tmp_path / "empty.json").write_text("{}")
    assert "has no latents" in refusal_of(run("latent", "show", "empty.json"))
    assert "No such file" in refusal_of(run("latent", "show", "none.json"))


@pytest.mark.usefixtures("trained")
def test_sum_is_saved_as_figure_or_json(run: Run, tmp_path: Path) -> None:
    words = ("1:7,2:7", "-", "3:7", "+", "4:3", "--model", "cdcgan-digits")
    assert output_of(run("latent", "sum", *words)) == "sum.png: 1:7,2:7 - 3:7 + 4:3, by cdcgan-digits@1\n"
    with Image.open(tmp_path / "sum.png") as picture:
        assert picture.size == (4 * 17 - 1, 3 * 17 - 1)
    output_of(run("latent", "sum", *words, "-o", "sum.json"))
    assert json.loads((tmp_path / "sum.json").read_text())["result"]["class_weights"][3] == 1
    output_of(run("latent", "show", "sum.json", "-o", "result.png"))


def test_words_of_a_sum_become_terms() -> None:
    assert parse_sum(["1,2", "-", "0.5*3:7", "+", "4.2"]) == [
        {"weight": 1.0, "samples": ["1", "2"]},
        {"weight": -0.5, "samples": ["3:7"]},
        {"weight": 1.0, "samples": ["4.2"]},
    ]
    assert parse_sum(["-", "1"]) == [{"weight": -1.0, "samples": ["1"]}]


@pytest.mark.parametrize("words", [["1", "2"], ["1", "-"], ["1", "-", "+", "2"], ["-"], ["+", "+", "1"]])
def test_words_that_are_no_sum_are_refused(words: list[Any]) -> None:
    with pytest.raises(Refusal, match="write"):
        parse_sum(words)


@pytest.mark.usefixtures("trained")
def test_picture_is_inverted_to_a_file_that_can_be_shown(run: Run, tmp_path: Path) -> None:
    output_of(run("sample", "--class", "7", "--seed", "1", "-o", "seven.png"))
    search = ("--class", "7", "--steps", "9", "--restarts", "1")
    output = output_of(run("invert", "seven.png", "-o", "found.json", *search))
    assert output.startswith("found.json: seven.png by cdcgan-digits@1 as class 7, ")
    output_of(run("latent", "show", "found.json", "-o", "shown.png"))
    output_of(run("invert", "seven.png", "-o", "found.png", *search))
    with Image.open(tmp_path / "found.png") as one, Image.open(tmp_path / "shown.png") as other:
        assert one.tobytes() == other.tobytes()


@pytest.mark.usefixtures("trained")
def test_hole_is_filled_by_a_search_to_a_picture_or_a_latent(run: Run, tmp_path: Path) -> None:
    output_of(run("sample", "--class", "7", "--seed", "1", "-o", "seven.png"))
    mask = Image.new("L", (16, 16))
    mask.paste(255, (4, 4, 10, 10))
    mask.save(tmp_path / "mask.png")
    words = ("inpaint", "seven.png", "mask.png")
    search = ("--model", "cdcgan-digits", "--class", "7", "--steps", "9", "--restarts", "1", "--seed", "2")
    assert output_of(run(*words, *search)) == "completed.png: seven.png by cdcgan-digits@1\n"
    output = output_of(run(*words, "-o", "found.json", *search))
    assert output.startswith("found.json: seven.png by cdcgan-digits@1 as class 7, ")
    output_of(run("latent", "show", "found.json", "-o", "sample.png"))
    completed, sample = (np.asarray(Image.open(tmp_path / name)) for name in ("completed.png", "sample.png"))
    whole, hole = np.asarray(Image.open(tmp_path / "seven.png")), np.asarray(mask) > 0
    assert (completed == np.where(hole, sample, whole)).all()
    assert "--model" in refusal_of(run(*words, "-o", "found.json"))


@pytest.mark.usefixtures("trained")
def test_samples_are_moved_along_directions(run: Run, service: Service, tmp_path: Path) -> None:
    model, name = "cdcgan-digits@1", "cdcgan-digits"
    head, *_, last = output_of(run("directions", "find", name, "stroke", "-n", "2")).splitlines()
    assert head.split() == ["DIRECTION", "KIND", "STRENGTH"]
    assert last == f"The directions are kept with {model} at {service.url}."
    output_of(run("directions", "find", model, "slant", "--kind", "means", "--from", "1:7", "--to", "2:7,3:7"))
    listed = output_of(run("directions", "list", name)).splitlines()
    assert [line.split()[0] for line in listed] == ["DIRECTION", "stroke-1", "stroke-2", "slant"]
    assert json.loads(output_of(run("directions", "list", model, "--json")))["model"] == model
    assert output_of(run("edit", model, "slant", "1:7", "2:3", "--by", "-1,0,1")) == (
        f"edited.png: 1:7 2:3 by slant, by {model}\n"
    )
    with Image.open(tmp_path / "edited.png") as picture:
        assert picture.size == (3 * 17 - 1, 2 * 17 - 1)
    output_of(run("edit", model, "slant", "1:7", "-o", "edited.json"))
    assert len(json.loads((tmp_path / "edited.json").read_text())["rows"][0]) == 7
    assert "no list of numbers" in refusal_of(run("edit", model, "slant", "1:7", "--by", "much"))
    deleted = output_of(run("directions", "delete", name, "slant"))
    assert deleted == f"slant of {model} is deleted at {service.url}.\n"


@pytest.mark.usefixtures("trained")
def test_latents_of_files_are_moved_as_their_samples_are(run: Run, tmp_path: Path) -> None:
    output_of(run("directions", "find", "cdcgan-digits", "way", "-n", "1"))
    assert output_of(run("latent", "draw", "--class", "7", "--seed", "1", "-o", "found.json")) == (
        "found.json: 1 latent, seed 1, by cdcgan-digits@1\n"
    )
    edit = ("edit", "cdcgan-digits", "way")
    assert output_of(run(*edit, "found.json", "-o", "one.png")) == ("one.png: found.json by way, by cdcgan-digits@1\n")
    output_of(run(*edit, "1:7", "-o", "other.png"))
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "other.png") as other:
        assert one.tobytes() == other.tobytes()
    output_of(run(*edit, "2:3", "found.json", "found.json", "-o", "rows.json"))
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [row[0]["class_weights"].index(1) for row in rows] == [3, 7, 7]
    (tmp_path / "two.json").write_text(json.dumps({"latents": [[0.5] * 64] * 2, "classes": [3, 7]}))
    assert "name the class of all with --class" in refusal_of(run(*edit, "two.json"))
    output_of(run(*edit, "two.json", "--class", "1"))
    assert "none.json: No such file" in refusal_of(run(*edit, "none.json"))
    (tmp_path / "old.json").write_text(json.dumps({"model": "faces@3", "latents": [[0.5] * 64]}))
    assert "latents of faces@3, not of cdcgan-digits@1: write faces@3 as MODEL." in refusal_of(run(*edit, "old.json"))
