"""`forger sample`, `translate`, `models`, `datasets` and `recipes` against a real service."""

import io
import json
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.forger.cli.conftest import COMMAND, Run, output_of, refusal_of, run_forger
from tests.support.foreign_networks import DcganExample, save_pth
from tests.support.foreign_networks import trained as trained_network
from tests.support.service import CHECKOUT, Service


@pytest.fixture(scope="module")
def trained(service: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Train models that sample (cdcgan-digits@1), enlarge (large@1) and translate (nights@1)."""
    folder = tmp_path_factory.mktemp("trained")
    trainings = [
        ("cdcgan", "--dataset", "digits", "--steps", "4"),
        ("srgan", "--steps", "2", "--set", "game.features_steps=2", "--model", "large"),
        ("cyclegan", "--dataset", "day2night", "--steps", "2", "--set", "data.side=16", "--model", "nights"),
    ]
    for options in trainings:
        output_of(run_forger(folder, service.env(), "train", *options, "--follow"))


@pytest.mark.usefixtures("trained")
def test_sample_writes_a_class_to_a_file_and_repeats_by_seed(run: Run, tmp_path: Path) -> None:
    output = output_of(run("sample", "--class", "7", "-n", "16", "-o", "sevens.png", "--scale", "2"))
    with Image.open(tmp_path / "sevens.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (134, 134))
    assert output.startswith("sevens.png: class 7, seed ")
    assert output.endswith(", by cdcgan-digits@1\n")
    seed = output.split("seed ")[1].split(",")[0]
    options = ("--class", "7", "-n", "16", "--scale", "2", "--seed", seed, "--model", "cdcgan-digits@1")
    output_of(run("sample", *options, "-o", "again.png"))
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "sevens.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.png", "sevens.png"]


@pytest.mark.usefixtures("trained")
def test_file_ending_chooses_the_sample_format(run: Run, tmp_path: Path) -> None:
    for name in ("a.webp", "a.npy", "a.zip", "a.json"):
        output_of(run("sample", "-n", "2", "--seed", "1", "--temperature", "0.7", "-o", name))
    with Image.open(tmp_path / "a.webp") as picture:
        assert picture.format == "WEBP"
    assert np.load(tmp_path / "a.npy").shape[0] == 2
    assert zipfile.ZipFile(tmp_path / "a.zip").testzip() is None
    assert len(json.loads((tmp_path / "a.json").read_text())["images"]) == 2
    output_of(run("sample", "--format", "npy", "-o", "a.bin"))
    assert "nothing here is written as .gif" in refusal_of(run("sample", "-o", "a.gif"))


def test_real_pictures_are_saved_in_the_format_of_the_ending(run: Run, tmp_path: Path) -> None:
    assert output_of(run("datasets", "pictures", "digits", "--seed", "1", "-n", "2", "-o", "real.json")).endswith(
        "of digits\n"
    )
    assert len(json.loads((tmp_path / "real.json").read_text())["images"]) == 2
    output_of(run("datasets", "pictures", "day2night", "--domain", "b", "-o", "nights.webp"))
    output_of(run("datasets", "pictures", "dyck", "-n", "3", "-o", "real.txt"))
    assert len((tmp_path / "real.txt").read_text().splitlines()) == 3
    assert "There is no class '12'" in refusal_of(run("datasets", "pictures", "digits", "--class", "12"))


@pytest.mark.usefixtures("trained")
def test_sample_can_be_written_to_standard_output(service: Service) -> None:
    env = service.env() | {"PYTHONPATH": str(CHECKOUT)}
    completed = subprocess.run([*COMMAND, "sample", "-o", "-"], env=env, cwd=CHECKOUT, capture_output=True, check=True)
    with Image.open(io.BytesIO(completed.stdout)) as picture:
        assert picture.format == "PNG"
    assert b"by cdcgan-digits@1" in completed.stderr


@pytest.mark.usefixtures("trained")
def test_photo_is_translated_in_each_format_and_direction(run: Run, tmp_path: Path) -> None:
    Image.effect_mandelbrot((33, 21), (-2, -1, 1, 1), 20).convert("RGB").save(tmp_path / "photo.jpg")
    assert output_of(run("translate", "photo.jpg", "-o", "night.png")) == "night.png: photo.jpg by nights@1\n"
    with Image.open(tmp_path / "night.png") as night:
        assert night.size == (33, 21)
    for name, format_ in (("night.jpg", "JPEG"), ("night.webp", "WEBP")):
        output_of(run("translate", "photo.jpg", "-o", name, "--quality", "80"))
        with Image.open(tmp_path / name) as night:
            assert (night.format, night.size) == (format_, (33, 21))
    output_of(run("translate", "photo.jpg", "-o", "day.png", "--direction", "b2a", "--model", "nights@1"))
    assert (tmp_path / "day.png").read_bytes() != (tmp_path / "night.png").read_bytes()


@pytest.mark.usefixtures("trained")
def test_picture_is_enlarged_by_a_super_resolution_model(run: Run, tmp_path: Path) -> None:
    Image.effect_noise((33, 21), 40).save(tmp_path / "small.png")
    output = output_of(run("translate", "small.png", "-o", "large.png", "--model", "large"))
    assert output == "large.png: small.png by large@1\n"
    with Image.open(tmp_path / "large.png") as large:
        assert (large.size, large.mode) == ((66, 42), "L")


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("words", "message"),
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
        (("models", "show", "cdcgan-digits@9"), "There is no version '9'"),
        (("models", "export", "cdcgan-digits@"), "There is no version '' of 'cdcgan-digits'. Existing versions: 1."),
        (("models", "export", "cdcgan-digits", "-o", "a.onnx"), "end the name in .zip"),
        (("models", "delete", "nope"), "nope"),
        (("models", "publish", "name", "ckpt_0"), "ckpt_0"),
        (("models", "show", "../jobs"), ""),
        (("models", "import", "text.jpg", "--name", "x", "--licence", "MIT", "--source", "x"), "no file of weights"),
        (("models", "import", "text.jpg", "--name", "x", "--source", "x"), "Add --licence"),
        (("models", "import", "text.jpg", "--name", "x", "--licence", "MIT"), "Add --source"),
        (("models", "import", "not-there", "--name", "x"), "not-there is no file"),
        (("recipes", "show", "nope"), "There is no recipe 'nope'"),
        (("datasets", "show", "nope"), "There is no dataset 'nope'"),
        (("datasets", "delete", "digits"), "built in"),
        (("datasets", "sheet", "digits"), "built in"),
        (("datasets", "upload", "not-there"), "not-there does not exist"),
        (("datasets", "upload", "text.jpg"), "not a zip"),
        (("datasets", "upload", "text.jpg", "--name", "UP"), "name"),
    ],
)
def test_invalid_command_is_refused_with_one_sentence(
    words: tuple[str, ...], message: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(40 << 20)
    assert message in refusal_of(run(*words))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.bin", "text.jpg"]


@pytest.mark.usefixtures("trained")
def test_models_are_listed_published_imported_and_deleted(run: Run, service: Service, tmp_path: Path) -> None:
    head, *rows = output_of(run("models")).splitlines()
    assert head.startswith("MODEL")
    assert [row.split()[:4] for row in rows] == [
        ["cdcgan-digits@1", "synthesis", "digits", "10"],
        ["large@1", "paired", "digits", "-"],
        ["nights@1", "unpaired", "day2night", "-"],
    ]
    job = json.loads(output_of(run("models", "show", "cdcgan-digits", "--json")))["versions"][0]["job"]
    shown = output_of(run("models", "show", "cdcgan-digits")).splitlines()
    assert any(line.startswith("job ") and line.endswith(job) for line in shown)
    assert len(shown) > 5
    assert output_of(run("models", "show", "cdcgan-digits@1")).splitlines() == shown
    assert job[-8:] in output_of(run("jobs", "list", "--model", "cdcgan-digits@1"))
    assert len(output_of(run("jobs", "list", "--model", "cdcgan-digits@2")).splitlines()) == 1
    checkpoint = output_of(run("jobs", "show", job)).splitlines()[-1].split()[0]
    assert output_of(run("models", "publish", "picked", checkpoint)).startswith(
        f"picked@1 is published at {service.url}, from step "
    )
    assert "picked@1" in output_of(run("models", "list"))
    assert output_of(run("models", "delete", "picked@1")) == f"picked@1 is deleted at {service.url}.\n"
    assert "picked" not in output_of(run("models", "--json"))
    save_pth(trained_network(DcganExample()).state_dict(), tmp_path / "netG.pth")
    assert output_of(run("models", "import", "netG.pth", "--name", "faces", "--licence", "MIT", "--source", "us")) == (
        f"faces@1 is imported at {service.url}, from the layout dcgan.\n"
    )
    assert "imported.licence" in output_of(run("models", "show", "faces"))
    output_of(run("models", "delete", "faces"))


def test_recipes_are_listed_and_a_shown_recipe_can_be_trained(run: Run, tmp_path: Path) -> None:
    assert [line.split()[0] for line in output_of(run("recipes")).splitlines()][:2] == ["FAMILY", "gan"]
    shown = output_of(run("recipes", "show", "dcgan"))
    assert "batch_size" in shown
    (tmp_path / "recipe.json").write_text(shown[shown.index("{") :])
    output_of(run("train", "--recipe", "recipe.json", "--dry-run"))
    assert "schema" in json.loads(output_of(run("recipes", "show", "dcgan", "--json")))


def test_folder_is_uploaded_shown_trained_on_and_deleted(run: Run, service: Service, tmp_path: Path) -> None:
    for number in range(12):
        folder = tmp_path / "pets" / ("cats" if number % 3 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((20, 16), 40 + number).save(folder / f"{number}.png")
    (tmp_path / "pets" / ".DS_Store").write_bytes(b"hidden")
    (tmp_path / "pets" / "cats" / "torn.png").write_bytes(b"\x89PNG no more")
    (tmp_path / "pets").rename(tmp_path / "Pets (2)")
    completed = run("datasets", "upload", "Pets (2)")
    assert completed.stderr == "Pets (2) is uploaded as pets-2; --name chooses another name.\n"
    output_of(run("datasets", "delete", "pets-2"))
    (tmp_path / "Pets (2)").rename(tmp_path / "pets")
    output = output_of(run("datasets", "upload", "pets"))
    assert "If they are two domains to translate" in output
    assert "`--layout unpaired`" in refusal_of(run("train", "cyclegan", "--dataset", "pets"))
    assert output.startswith("dataset        pets\n")
    assert "12 used, 1 left out" in output
    assert "2: cats (8), dogs (4)" in output
    assert "1: cats/torn.png (" in output
    assert "DS_Store" not in output
    assert "There is a dataset 'pets' already" in refusal_of(run("datasets", "upload", "pets", "--name", "pets"))
    assert "pets" in output_of(run("datasets"))
    assert json.loads(output_of(run("datasets", "show", "pets", "--json")))["report"]["pictures"] == 12
    output_of(run("datasets", "sheet", "pets", "-o", "sheet.png"))
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    shown = output_of(
        run("datasets", "pictures", "pets", "--class", "dogs", "-n", "3", "--seed", "1", "-o", "real.png")
    )
    assert shown == "real.png: class 1, seed 1, of pets\n"
    with Image.open(tmp_path / "real.png") as real:
        assert real.format == "PNG"
    output_of(run("train", "gan", "--dataset", "pets", "--steps", "1", "--follow"))
    assert "is used by job" in refusal_of(run("datasets", "delete", "pets"))
    output_of(run("jobs", "delete", "last"))
    assert "is used by the model gan-pets@1" in refusal_of(run("datasets", "delete", "pets"))
    output_of(run("models", "delete", "gan-pets"))
    assert output_of(run("datasets", "delete", "pets")) == f"pets is deleted at {service.url}.\n"
    assert "pets" not in output_of(run("datasets", "list", "--json"))
