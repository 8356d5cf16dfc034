"""`forger generate` and `forger translate-dataset` against a real service."""

import csv
import json
import re
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from forger import Forger, ShardWritten
from tests.forger.cli.conftest import Run, output_of, refusal_of
from tests.support.png_chunks import without_text
from tests.support.service import Service


@pytest.fixture(scope="module", autouse=True)
def models(service: Service) -> None:
    for family in ("cdcgan", "pix2pix"):
        small = {"generator": {"width": 4}, "critic": {"width": 4}, "watch": None}
        job = service.post(recipe=family, dataset="digits", budget={"steps": 2}, overrides=small)
        service.wait_for(job, "succeeded")


def test_generate_waits_and_saves_the_shards(run: Run, tmp_path: Path) -> None:
    options = ("-n", "25", "--model", "cdcgan-digits", "--shard", "10", "--seed", "4", "--format", "npz")
    lines = output_of(run("generate", *options, "-o", "fakes")).splitlines()
    assert lines[:2] == ["queued", "running"]
    assert lines[2:6] == [
        "step 10 of 25  shard-0000.npz",
        "step 20 of 25  shard-0001.npz",
        "step 25 of 25  shard-0002.npz",
        "succeeded",
    ]
    assert lines[6] == "fakes: 3 files, by cdcgan-digits@1, of step 2"
    files = sorted((tmp_path / "fakes").iterdir())
    assert [len(np.load(file)["labels"]) for file in files] == [10, 10, 5]
    output_of(run("sample", "-c", "7", "-n", "3", "--seed", "4", "--model", "cdcgan-digits", "-o", "sevens.npy"))
    images = np.concatenate([np.load(file)["images"] for file in files])
    assert np.array_equal(images[7::10], np.load(tmp_path / "sevens.npy")[:2])


def test_generate_draws_the_truncated_samples_of_sample(run: Run, tmp_path: Path) -> None:
    drawn = ("--model", "cdcgan-digits", "--seed", "4", "--temperature", "0.9", "--truncation", "0.5")
    output_of(run("generate", "--class", "7=3", *drawn, "--format", "npz", "-o", "typical"))
    output_of(run("sample", "-c", "7", "-n", "3", *drawn, "-o", "sevens.npy"))
    images = np.load(tmp_path / "typical" / "shard-0000.npz")["images"]
    assert np.array_equal(images, np.load(tmp_path / "sevens.npy"))


def test_generate_takes_counts_per_class_and_shards_are_saved_later(run: Run, tmp_path: Path) -> None:
    output = output_of(run("generate", "--class", "7=3", "--class", "1=2"))
    assert "it generates with cdcgan-digits@1, of step 2." in output
    assert output_of(run("jobs", "follow", "last")).splitlines()[-1].startswith("  forger jobs save ")
    assert output_of(run("jobs", "save", "last", "-o", "few", "--kind", "shard")) == "few: 1 file\n"
    (file,) = (tmp_path / "few").iterdir()
    before = file.stat().st_mtime_ns
    output_of(run("jobs", "save", "last", "-o", "few"))
    assert file.stat().st_mtime_ns == before, "an existing file is not downloaded again"
    shown = output_of(run("jobs", "show", "last"))
    assert re.search(r"^generates +cdcgan-digits@1, of step 2$", shown, re.MULTILINE)
    reply = json.loads(output_of(run("jobs", "show", "last", "--json")))
    assert (reply["spec"]["classes"], reply["progress"]["total"]) == ({"1": 2, "7": 3}, 5)
    assert "it has no steps" in refusal_of(run("extend", "last", "--steps", "4"))


def test_uploaded_dataset_is_translated_with_its_labels(run: Run, tmp_path: Path) -> None:
    for name in ("=1+1", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(3):
            Image.effect_noise((20, 20), 40 + number).save(tmp_path / "pets" / name / f"{number}.png")
    output_of(run("datasets", "upload", "pets", "--name", "pets"))
    output = output_of(run("translate-dataset", "pets", "--model", "pix2pix-digits", "-o", "painted"))
    assert output.splitlines()[-1] == "painted: 1 file, by pix2pix-digits@1, of step 2"
    (file,) = (tmp_path / "painted").iterdir()
    with ZipFile(file) as archive:
        rows = list(csv.DictReader(archive.read("labels.csv").decode().splitlines()))
        assert [row["class"] for row in rows] == ["'=1+1"] * 3 + ["dogs"] * 3
        assert archive.namelist()[:-1] == [f"{name}/{n}.png" for name in ("=1+1", "dogs") for n in range(3)]
        assert [row["file"].removeprefix("'") for row in rows] == archive.namelist()[:-1]
    assert "is used by job" in refusal_of(run("datasets", "delete", "pets"))


def test_translate_of_many_pictures_keeps_their_names(run: Run, tmp_path: Path) -> None:
    sizes = {"one.jpg": (40, 30), "two.png": (33, 61), "three.webp": (90, 24)}
    for number, (name, size) in enumerate(sizes.items()):
        Image.effect_noise(size, 40 + number).save(tmp_path / name)
    options = ("--model", "pix2pix-digits")
    output = output_of(run("translate", *sizes, "-o", "painted/", *options))
    assert output.splitlines()[-1] == "painted: 3 pictures, by pix2pix-digits@1, of step 2"
    for name, size in sizes.items():
        painted = tmp_path / "painted" / f"{Path(name).stem}.png"
        with Image.open(painted) as shown:
            assert shown.size == size
        alone = output_of(run("translate", name, "-o", "alone/", *options))
        assert alone.startswith(f"alone/{painted.name}: {name} by pix2pix-digits@1")
        assert without_text((tmp_path / "alone" / painted.name).read_bytes()) == painted.read_bytes()
    (tmp_path / "README.txt").write_text("no picture, and ignored")
    (tmp_path / ".hidden.png").write_bytes(b"no picture")
    assert "painted: 3 pictures" in output_of(run("translate", ".", "-o", "painted", *options))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    partial = run("translate", "one.jpg", "broken.png", "-o", "part", *options)
    assert partial.returncode == 1
    assert partial.stderr.startswith("broken.png was left out: ")
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["one.png"]


def test_translate_refuses_to_replace_pictures(run: Run, tmp_path: Path) -> None:
    for file in ("a.png", "b.png", "other/a.png"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        Image.effect_noise((20, 20), 40).save(tmp_path / file)
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    Image.effect_noise((20, 20), 40).save(tmp_path / "empty" / "deeper" / "a.png")
    assert "empty: there is no picture directly in this folder" in refusal_of(run("translate", "empty", "-o", "x"))
    assert "need a folder to go to" in refusal_of(run("translate", "a.png", "b.png", "-o", "x.png"))
    assert "two pictures have this name" in refusal_of(run("translate", "a.png", "other/a.png", "-o", "x"))
    assert "a.png is in it and would be replaced" in refusal_of(run("translate", "a.png", "b.png", "-o", "."))
    assert "a.png is in it and would be replaced" in refusal_of(run("translate", "a.png", "-o", "."))


def test_invalid_bulk_requests_are_refused_with_one_sentence(run: Run) -> None:
    assert "Say how many" in refusal_of(run("generate", "--model", "cdcgan-digits"))
    assert "write class=number" in refusal_of(run("generate", "--class", "7"))
    assert "There is no class '12'" in refusal_of(run("generate", "--class", "12=5"))
    assert "There is no dataset 'nothing'" in refusal_of(run("translate-dataset", "nothing"))
    assert "draws nothing" in refusal_of(run("generate", "-n", "5", "--model", "pix2pix-digits"))


def test_python_client_generates_and_translates_alike(service: Service, tmp_path: Path) -> None:
    with Forger(service.url) as forger:
        job = forger.generate({"7": 2}, model="cdcgan-digits", seed=1, shard=1)
        written = [event for event in job.follow() if isinstance(event, ShardWritten)]
        assert [(event.step, event.name) for event in written] == [(1, "shard-0000.zip"), (2, "shard-0001.zip")]
        for _ in range(2):  # the second call keeps the files
            assert [path.name for path in job.save_all(tmp_path / "all")] == ["shard-0000.zip", "shard-0001.zip"]
        other = forger.generate({"7": 1}, model="cdcgan-digits", seed=2).wait()
        with pytest.raises(FileExistsError, match=f"is no file of job {other.id}; name another folder"):
            other.save_all(tmp_path / "all")
        assert forger.translate_dataset("digits", model="pix2pix-digits").cancel().reply.kind == "translate"
