"""`forger sample`, `translate`, `models`, `datasets` and `recipes` against a real service."""

import io
import json
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.forger.cli.conftest import COMMAND, Run, forger, good, refused
from tests.support.service import CHECKOUT, Service


@pytest.fixture(scope="module")
def trained(service: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A model that draws, cdcgan-digits@1; one that enlarges, large@1; and one that translates, nights@1."""
    folder = tmp_path_factory.mktemp("trained")
    ways = [
        ("cdcgan", "--dataset", "digits", "--steps", "4"),
        ("srgan", "--steps", "2", "--set", "game.features_steps=2", "--model", "large"),
        ("cyclegan", "--dataset", "day2night", "--steps", "2", "--set", "data.side=16", "--model", "nights"),
    ]
    for words in ways:
        good(forger(folder, service.env(), "train", *words, "--follow"))


@pytest.mark.usefixtures("trained")
def test_sevens_are_drawn_into_a_file(run: Run, tmp_path: Path) -> None:
    said = good(run("sample", "--class", "7", "-n", "16", "-o", "sevens.png", "--scale", "2"))
    with Image.open(tmp_path / "sevens.png") as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (134, 134))
    assert said.startswith("sevens.png: class 7, seed ")
    assert said.endswith(", by cdcgan-digits@1\n")
    seed = said.split("seed ")[1].split(",")[0]
    again = ("--class", "7", "-n", "16", "--scale", "2", "--seed", seed, "--model", "cdcgan-digits@1")
    good(run("sample", *again, "-o", "again.png"))
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "sevens.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.png", "sevens.png"]


@pytest.mark.usefixtures("trained")
def test_the_files_ending_chooses_the_format(run: Run, tmp_path: Path) -> None:
    for name in ("a.webp", "a.npy", "a.zip", "a.json"):
        good(run("sample", "-n", "2", "--seed", "1", "--temperature", "0.7", "-o", name))
    with Image.open(tmp_path / "a.webp") as drawn:
        assert drawn.format == "WEBP"
    assert np.load(tmp_path / "a.npy").shape[0] == 2
    assert zipfile.ZipFile(tmp_path / "a.zip").testzip() is None
    assert len(json.loads((tmp_path / "a.json").read_text())["images"]) == 2
    good(run("sample", "--format", "npy", "-o", "a.bin"))
    assert "nothing here is written as .gif" in refused(run("sample", "-o", "a.gif"))


def test_real_pictures_are_saved_in_the_format_of_the_ending(run: Run, tmp_path: Path) -> None:
    assert good(run("datasets", "pictures", "digits", "--seed", "1", "-n", "2", "-o", "real.json")).endswith(
        "of digits\n"
    )
    assert len(json.loads((tmp_path / "real.json").read_text())["images"]) == 2
    good(run("datasets", "pictures", "day2night", "--domain", "b", "-o", "nights.webp"))
    good(run("datasets", "pictures", "dyck", "-n", "3", "-o", "real.txt"))
    assert len((tmp_path / "real.txt").read_text().splitlines()) == 3
    assert "There is no class '12'" in refused(run("datasets", "pictures", "digits", "--class", "12"))


@pytest.mark.usefixtures("trained")
def test_pictures_go_to_standard_output(service: Service) -> None:
    env = service.env() | {"PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run([*COMMAND, "sample", "-o", "-"], env=env, cwd=CHECKOUT, capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as drawn:
        assert drawn.format == "PNG"
    assert b"by cdcgan-digits@1" in done.stderr


@pytest.mark.usefixtures("trained")
def test_a_photo_is_translated(run: Run, tmp_path: Path) -> None:
    Image.effect_mandelbrot((33, 21), (-2, -1, 1, 1), 20).convert("RGB").save(tmp_path / "photo.jpg")
    assert good(run("translate", "photo.jpg", "-o", "night.png")) == "night.png: photo.jpg by nights@1\n"
    with Image.open(tmp_path / "night.png") as night:
        assert night.size == (33, 21)
    for name, format_ in (("night.jpg", "JPEG"), ("night.webp", "WEBP")):
        good(run("translate", "photo.jpg", "-o", name, "--quality", "80"))
        with Image.open(tmp_path / name) as night:
            assert (night.format, night.size) == (format_, (33, 21))
    good(run("translate", "photo.jpg", "-o", "day.png", "--direction", "b2a", "--model", "nights@1"))
    assert (tmp_path / "day.png").read_bytes() != (tmp_path / "night.png").read_bytes()


@pytest.mark.usefixtures("trained")
def test_a_picture_is_enlarged(run: Run, tmp_path: Path) -> None:
    Image.effect_noise((33, 21), 40).save(tmp_path / "small.png")
    said = good(run("translate", "small.png", "-o", "large.png", "--model", "large"))
    assert said == "large.png: small.png by large@1\n"
    with Image.open(tmp_path / "large.png") as large:
        assert (large.size, large.mode) == ((66, 42), "L")


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sample", "--class", "10"), "There is no class '10'"),
        (("sample", "--model", "nope"), "nope"),
        (("sample", "--model", "nights", "--class", "1"), "nights"),
        (("sample", "-n", "100000"), "max_samples"),
        (("sample", "-o", "nowhere/a.png"), "nowhere/a.png: No such file"),
        (("sample", "-o", "."), ".: Is a directory."),
        (("translate", "not-there.jpg"), "not-there.jpg: No such file"),
        (("translate", "text.jpg"), "not a picture of a supported format"),
        (("translate", "text.jpg", "--model", "large", "--direction", "b2a"), "one way only"),
        (("translate", "large.bin"), "max_upload_bytes"),
        (("translate", "text.jpg", "-o", "a.tif"), "end the name in .png, .jpg, .jpeg or .webp"),
        (("translate", "text.jpg", "-o", "a.npy"), "end the name in .png, .jpg, .jpeg or .webp"),
        (("datasets", "sheet", "digits", "-o", "a.jpg"), "end the name in .png"),
        (("compare", "a", "b", "-o", "a.jpg"), "end the name in .png"),
        (("sample", "-o", "a.png", "--format", "webp"), "leave one of them out"),
        (("models", "show", "nope"), "nope"),
        (("models", "delete", "nope"), "nope"),
        (("models", "publish", "name", "ckpt_0"), "ckpt_0"),
        (("models", "show", "../jobs"), ""),
        (("recipes", "show", "nope"), "There is no recipe 'nope'"),
        (("datasets", "show", "nope"), "There is no dataset 'nope'"),
        (("datasets", "delete", "digits"), "built in"),
        (("datasets", "sheet", "digits"), "built in"),
        (("datasets", "upload", "not-there"), "not-there does not exist"),
        (("datasets", "upload", "text.jpg"), "not a zip"),
        (("datasets", "upload", "text.jpg", "--name", "UP"), "name"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words: tuple[str, ...], said: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(40 << 20)
    assert said in refused(run(*words))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.bin", "text.jpg"]


@pytest.mark.usefixtures("trained")
def test_models_are_listed_published_and_deleted(run: Run, service: Service) -> None:
    head, *rows = good(run("models")).splitlines()
    assert head.startswith("MODEL")
    assert [row.split()[:4] for row in rows] == [
        ["cdcgan-digits@1", "synthesis", "digits", "10"],
        ["large@1", "paired", "digits", "-"],
        ["nights@1", "unpaired", "day2night", "-"],
    ]
    job = json.loads(good(run("models", "show", "cdcgan-digits", "--json")))["versions"][0]["job"]
    shown = good(run("models", "show", "cdcgan-digits")).splitlines()
    assert any(line.startswith("job ") and line.endswith(job) for line in shown)
    assert len(shown) > 5
    checkpoint = good(run("jobs", "show", job)).splitlines()[-1].split()[0]
    assert good(run("models", "publish", "picked", checkpoint)).startswith(
        f"picked@1 is published at {service.url}, from step "
    )
    assert "picked@1" in good(run("models", "list"))
    assert good(run("models", "delete", "picked@1")) == f"picked@1 is deleted at {service.url}.\n"
    assert "picked" not in good(run("models", "--json"))


def test_recipes_are_listed_and_a_shown_one_can_be_trained(run: Run, tmp_path: Path) -> None:
    assert [line.split()[0] for line in good(run("recipes")).splitlines()][:2] == ["FAMILY", "gan"]
    shown = good(run("recipes", "show", "dcgan"))
    assert "batch_size" in shown
    (tmp_path / "recipe.json").write_text(shown[shown.index("{") :])
    good(run("train", "--recipe", "recipe.json", "--dry-run"))
    assert "schema" in json.loads(good(run("recipes", "show", "dcgan", "--json")))


def test_a_folder_is_uploaded_looked_at_learned_from_and_deleted(run: Run, service: Service, tmp_path: Path) -> None:
    for number in range(12):
        folder = tmp_path / "pets" / ("cats" if number % 3 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((20, 16), 40 + number).save(folder / f"{number}.png")
    (tmp_path / "pets" / ".DS_Store").write_bytes(b"hidden")
    (tmp_path / "pets" / "cats" / "torn.png").write_bytes(b"\x89PNG no more")
    (tmp_path / "pets").rename(tmp_path / "Pets (2)")
    done = run("datasets", "upload", "Pets (2)")
    assert done.stderr == "Pets (2) is uploaded as pets-2; --name chooses another name.\n"
    good(run("datasets", "delete", "pets-2"))
    (tmp_path / "Pets (2)").rename(tmp_path / "pets")
    said = good(run("datasets", "upload", "pets"))
    assert "If they are two domains to translate" in said
    assert "`--layout unpaired`" in refused(run("train", "cyclegan", "--dataset", "pets"))
    assert said.startswith("dataset        pets\n")
    assert "12 used, 1 left out" in said
    assert "2: cats (8), dogs (4)" in said
    assert "1: cats/torn.png (" in said
    assert "DS_Store" not in said
    assert "There is a dataset 'pets' already" in refused(run("datasets", "upload", "pets", "--name", "pets"))
    assert "pets" in good(run("datasets"))
    assert json.loads(good(run("datasets", "show", "pets", "--json")))["report"]["pictures"] == 12
    good(run("datasets", "sheet", "pets", "-o", "sheet.png"))
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    said = good(run("datasets", "pictures", "pets", "--class", "dogs", "-n", "3", "--seed", "1", "-o", "real.png"))
    assert said == "real.png: class 1, seed 1, of pets\n"
    with Image.open(tmp_path / "real.png") as real:
        assert real.format == "PNG"
    good(run("train", "gan", "--dataset", "pets", "--steps", "1", "--follow"))
    assert "is used by job" in refused(run("datasets", "delete", "pets"))
    good(run("jobs", "delete", "last"))
    assert "is used by the model gan-pets@1" in refused(run("datasets", "delete", "pets"))
    good(run("models", "delete", "gan-pets"))
    assert good(run("datasets", "delete", "pets")) == f"pets is deleted at {service.url}.\n"
    assert "pets" not in good(run("datasets", "list", "--json"))
