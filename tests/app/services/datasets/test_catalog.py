"""Datasets as services see them: names taken once, files swept, classes by name."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from app.core.errors import Conflict, Invalid
from app.core.sandbox.parent import Sandbox
from app.core.settings import get_settings
from app.services import recipes
from app.services.creation import train
from app.services.datasets import catalog
from app.services.datasets.intake import Intake
from app.services.jobs import lifecycle
from app.services.system import garbage
from data.archive import prepared_prefix
from data.uploads import survey
from models.spec.data import Unpaired
from models.spec.datasets import DATASETS
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.zips import classes, noise, picture, zipped
from worker.runners.inputs import load

OLD_S = 10_000


def archive() -> Path:
    """Where uploads lie: the process that reads them reads nothing else."""
    folder = get_settings().incoming
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "x.zip"


def take(name: str, members: dict[str, bytes]) -> catalog.Detail:
    path = archive()
    path.write_bytes(zipped(members))
    intake = Intake(get_settings())
    try:
        return intake.take(path, name, "auto")
    finally:
        intake.close()


def age(path: Path) -> Path:
    os.utime(path, (1, path.stat().st_mtime - OLD_S))
    return path


def test_a_name_taken_meanwhile_is_a_conflict(database: Path) -> None:
    detail = take("pets", classes("cat", "dog"))
    assert detail.report is not None
    with pytest.raises(Conflict, match="already"):
        catalog.add(detail.info, detail.report, archive_sha256="0" * 64, index_sha256="0" * 64, sheet_sha256="0" * 64)
    assert catalog.find("pets") == detail
    assert catalog.all_datasets()["pets"] == detail.info


def test_an_upload_keeps_its_name_from_what_is_built_in_later(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is as an older version wrote it, to which cifar10 was a name like any other."""
    pets = take("pets", classes("cat", "dog"))
    kept = catalog.files("pets")
    assert pets.report is not None
    assert kept is not None
    info, built_in = replace(pets.info, name="cifar10"), DATASETS["cifar10"]
    sums = {
        "archive_sha256": kept.archive.name,
        "index_sha256": kept.index.name,
        "sheet_sha256": pets.sheet_sha256 or "",
    }
    catalog.add(info, pets.report, **sums)

    assert catalog.find("cifar10").info == catalog.all_datasets()["cifar10"] == info
    assert catalog.files("cifar10") == kept
    with pytest.raises(Conflict, match="already"):
        take("cifar10", classes("cat", "dog"))
    _, recipe = recipes.whole("cdcgan", dataset="cifar10", seed=None, budget=None, overrides=None)
    assert catalog.class_names(recipe, catalog.all_datasets()) == ("cat", "dog")
    job = lifecycle.create(train.of_recipe(recipe, "cdcgan", "x"))
    with pytest.raises(Conflict, match=job.id):
        catalog.delete("cifar10")
    monkeypatch.setenv("FORGER_MAX_PREPARED_BYTES", "1")
    get_settings.cache_clear()
    with pytest.raises(Invalid, match="max_prepared_bytes"):
        recipes.whole("cdcgan", dataset="cifar10", seed=None, budget=None, overrides=None)

    lifecycle.cancel(job.id)
    lifecycle.delete(job.id)
    catalog.delete("cifar10")
    assert catalog.find("cifar10").info == catalog.all_datasets()["cifar10"] == built_in
    assert catalog.files("cifar10") is None
    with pytest.raises(Conflict, match="built in"):
        catalog.delete("cifar10")
    with pytest.raises(Conflict, match="already"):
        take("cifar10", classes("cat", "dog"))


@pytest.mark.parametrize(("family", "folders"), [("dcgan", [""]), ("cyclegan", ["A/", "B/"])])
def test_what_a_recipe_would_prepare_is_limited(
    database: Path, monkeypatch: pytest.MonkeyPatch, family: str, folders: list[str]
) -> None:
    """There is just room for each picture in grey at side 64; what is built in is not prepared."""
    members = {f"{folder}{number}.png": picture(number) for folder in folders for number in range(2)}
    take("pets", members)
    monkeypatch.setenv("FORGER_MAX_PREPARED_BYTES", str(len(members) * 64 * 64))
    get_settings.cache_clear()

    def made(recipe: Any, **data: int) -> Recipe:
        overrides = {"data": {"channels": 1, **data}} if data else None
        return recipes.whole(recipe, dataset="pets" if data else None, seed=None, budget=None, overrides=overrides)[1]

    fits = made(family, side=64)
    assert fits.data.kind == ("paired" if len(folders) == 2 else "images")
    with pytest.raises(Invalid, match="max_prepared_bytes") as refused:
        made(family, side=128)
    assert [error.pointer for error in refused.value.errors] == ["/overrides/data/side"]
    whole = fits.model_dump(mode="json")
    assert made(whole) == fits
    monkeypatch.setenv("FORGER_MAX_PREPARED_BYTES", "1")
    get_settings.cache_clear()
    with pytest.raises(Invalid, match="max_prepared_bytes") as refused:
        made(whole)
    assert [error.pointer for error in refused.value.errors] == ["/recipe/data/side"]
    assert made("dcgan").data.dataset in DATASETS


def test_photographs_are_trained_on_in_crops_of_what_they_are(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared at the shorter edge of most of them, which one small picture does not change."""
    members = {f"{pile}/{n}.png": picture(n, 240, 200) for pile in "AB" for n in range(2)} | {"A/9.png": picture(9)}
    detail = take("streets", members)
    assert detail.report is not None
    assert detail.report.shorter_edge == detail.info.shorter_edge == 200
    assert any("random crops of 128 px" in note for note in detail.report.notes)
    made = recipes.whole("cyclegan", dataset="streets", seed=None, budget=None, overrides=None)[1]
    assert made.data == Unpaired(dataset="streets", side=128, channels=3, load=200, flip=True)
    loaded = load(made.data, "train", lambda: None)
    assert loaded.a is not None
    assert loaded.a.shape == (3, 3, 200, 200)
    assert np.array_equal(loaded.a[0].permute(1, 2, 0), np.asarray(noise(240, 200, 0))[:, 20:220])
    monkeypatch.setenv("FORGER_MAX_PREPARED_BYTES", "1000")
    get_settings.cache_clear()
    with pytest.raises(Invalid, match=r"At load 200 .* Choose a smaller data.load"):
        recipes.whole("cyclegan", dataset="streets", seed=None, budget=None, overrides=None)


def test_sweeps_take_what_dead_uploads_and_deleted_datasets_left(database: Path) -> None:
    take("kept", classes("cat", "dog"))
    take("gone", {"1.png": picture(77)})
    settings, files = get_settings(), [catalog.files(name) for name in ("kept", "gone")]
    settings.prepared.mkdir(parents=True)
    settings.incoming.mkdir(parents=True, exist_ok=True)
    made = []
    for file in files:
        assert file is not None
        made.append(settings.prepared / f"{prepared_prefix(file.archive.name, file.index.name)}a-16x16x3-1.npy")
        made[-1].touch()
    dead, live = settings.incoming / "upload-dead", settings.incoming / "upload-live"
    for path in (dead, live):
        path.touch()
    catalog.delete("gone")
    for path in (*made, dead, *(path for file in files if file for path in (file.archive, file.index))):
        age(path)
    garbage.sweep()
    assert [path.exists() for path in (*made, dead, live)] == [True, False, False, True]
    assert [path.exists() for file in files if file for path in (file.archive, file.index)] == [
        True,
        True,
        False,
        False,
    ]


def test_resolve_knows_the_uploads(database: Path) -> None:
    take("piles", {"A/1.png": picture(1), "B/2.png": picture(2)})
    known = catalog.all_datasets()
    _, recipe = resolve("cyclegan", dataset="piles", datasets=known)
    assert (recipe.data.kind, recipe.data.dataset) == ("unpaired", "piles")
    job = lifecycle.create(train.of_recipe(recipe, "cyclegan", "x"))
    with pytest.raises(Conflict, match=job.id):
        catalog.delete("piles")


def test_the_sandbox_of_an_intake_forgets_the_archive(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the space of a removed upload would stay taken."""
    intake = Intake(get_settings())
    path = archive()
    path.write_bytes(zipped(classes("cat", "dog")))
    try:
        intake.take(path, "pets", "auto")
        sandbox = intake._sandbox
        assert isinstance(sandbox, Sandbox)
        (child,) = [process for process in psutil.Process().children() if "app.core.sandbox.child" in process.cmdline()]
        assert str(path) not in {file.path for file in child.open_files()}
    finally:
        intake.close()


@pytest.mark.parametrize(
    ("edges", "side"), [([5], 16), ([31, 31], 16), ([32], 32), ([10, 64, 64], 64), ([500], 64), ([30, 34], 32)]
)
def test_the_side_is_a_power_of_two_not_above_the_median_edge(edges: list[int], side: int) -> None:
    assert survey.default_side([(edge, 2 * edge) for edge in edges]) == side


@pytest.mark.parametrize(("edge", "side"), [(7, 16), (8, 8), (28, 28), (50, 50), (64, 64), (65, 64), (500, 64)])
def test_small_squares_of_one_side_keep_it(edge: int, side: int) -> None:
    assert survey.default_side([(edge, edge)] * 3) == side
    assert survey.default_side([(edge, edge)] * 3, step=4) == (side if edge != 50 else 32)


def test_a_name_wins_over_a_number() -> None:
    names = ("3", "Cat", "0")
    assert [catalog.class_number(names, wanted) for wanted in ("3", "cat", "1", "2", "0")] == [0, 1, 1, 2, 2]
    with pytest.raises(Invalid, match=r"0 to 2 \(3, Cat and 0\)"):
        catalog.class_number(names, "4")
