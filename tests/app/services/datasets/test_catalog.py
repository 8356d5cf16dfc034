"""The catalogue of datasets: unique names, limits, sweeping of files, and classes by name."""

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
from tests.support.datasets import incoming_archive, upload_dataset
from tests.support.zips import classes, noise, picture, zipped
from worker.runners.inputs import load_data

OLD_S = 10_000


def make_old(path: Path) -> Path:
    os.utime(path, (1, path.stat().st_mtime - OLD_S))
    return path


def test_name_that_is_taken_is_a_conflict(database: Path) -> None:
    entry = upload_dataset("pets", classes("cat", "dog"))
    assert entry.report is not None
    with pytest.raises(Conflict, match="already"):
        catalog.add(entry.info, entry.report, archive_sha256="0" * 64, index_sha256="0" * 64, sheet_sha256="0" * 64)
    assert catalog.find("pets") == entry
    assert catalog.all_datasets()["pets"] == entry.info


def test_upload_hides_a_built_in_dataset_added_later_under_its_name(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is that of an older version, in which cifar10 was no built-in name."""
    pets = upload_dataset("pets", classes("cat", "dog"))
    files = catalog.files("pets")
    assert pets.report is not None
    assert files is not None
    info, built_in = replace(pets.info, name="cifar10"), DATASETS["cifar10"]
    sums = {
        "archive_sha256": files.archive.name,
        "index_sha256": files.index.name,
        "sheet_sha256": pets.sheet_sha256 or "",
    }
    catalog.add(info, pets.report, **sums)

    assert catalog.find("cifar10").info == catalog.all_datasets()["cifar10"] == info
    assert catalog.files("cifar10") == files
    with pytest.raises(Conflict, match="already"):
        upload_dataset("cifar10", classes("cat", "dog"))
    _, recipe = recipes.complete("cdcgan", dataset="cifar10", seed=None, budget=None, overrides=None)
    assert catalog.class_names(recipe, catalog.all_datasets()) == ("cat", "dog")
    job = lifecycle.create(train.of_recipe(recipe, "cdcgan", "x"))
    with pytest.raises(Conflict, match=job.id):
        catalog.delete("cifar10")
    monkeypatch.setenv("FORGER_MAX_PREPARED_BYTES", "1")
    get_settings.cache_clear()
    with pytest.raises(Invalid, match="max_prepared_bytes"):
        recipes.complete("cdcgan", dataset="cifar10", seed=None, budget=None, overrides=None)

    lifecycle.cancel(job.id)
    lifecycle.delete(job.id)
    catalog.delete("cifar10")
    assert catalog.find("cifar10").info == catalog.all_datasets()["cifar10"] == built_in
    assert catalog.files("cifar10") is None
    with pytest.raises(Conflict, match="built in"):
        catalog.delete("cifar10")
    with pytest.raises(Conflict, match="already"):
        upload_dataset("cifar10", classes("cat", "dog"))


@pytest.mark.parametrize(("family", "folders"), [("dcgan", [""]), ("cyclegan", ["A/", "B/"])])
def test_size_of_the_prepared_dataset_is_limited(
    database: Path, monkeypatch: pytest.MonkeyPatch, family: str, folders: list[str]
) -> None:
    """The limit holds each picture in grey at side 64 exactly; built-in datasets are not prepared."""
    members = {f"{folder}{number}.png": picture(number) for folder in folders for number in range(2)}
    upload_dataset("pets", members)
    monkeypatch.setenv("FORGER_MAX_PREPARED_BYTES", str(len(members) * 64 * 64))
    get_settings.cache_clear()

    def complete(recipe: Any, **data: int) -> Recipe:
        overrides = {"data": {"channels": 1, **data}} if data else None
        return recipes.complete(recipe, dataset="pets" if data else None, seed=None, budget=None, overrides=overrides)[
            1
        ]

    fitting = complete(family, side=64)
    assert fitting.data.kind == ("paired" if len(folders) == 2 else "images")
    with pytest.raises(Invalid, match="max_prepared_bytes") as refused:
        complete(family, side=128)
    assert [error.pointer for error in refused.value.errors] == ["/overrides/data/side"]
    complete_recipe = fitting.model_dump(mode="json")
    assert complete(complete_recipe) == fitting
    monkeypatch.setenv("FORGER_MAX_PREPARED_BYTES", "1")
    get_settings.cache_clear()
    with pytest.raises(Invalid, match="max_prepared_bytes") as refused:
        complete(complete_recipe)
    assert [error.pointer for error in refused.value.errors] == ["/recipe/data/side"]
    assert complete("dcgan").data.dataset in DATASETS


def test_photographs_are_prepared_at_their_size_for_random_crops(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are prepared at the median of their shorter edges, which one small picture does not change."""
    members = {f"{pile}/{n}.png": picture(n, 240, 200) for pile in "AB" for n in range(2)} | {"A/9.png": picture(9)}
    entry = upload_dataset("streets", members)
    assert entry.report is not None
    assert entry.report.shorter_edge == entry.info.shorter_edge == 200
    assert any("random crops of 128 px" in note for note in entry.report.notes)
    recipe = recipes.complete("cyclegan", dataset="streets", seed=None, budget=None, overrides=None)[1]
    assert recipe.data == Unpaired(dataset="streets", side=128, channels=3, load=200, flip=True)
    loaded = load_data(recipe.data, "train", lambda: None)
    assert loaded.a is not None
    assert loaded.a.shape == (3, 3, 200, 200)
    assert np.array_equal(loaded.a[0].permute(1, 2, 0), np.asarray(noise(240, 200, 0))[:, 20:220])
    monkeypatch.setenv("FORGER_MAX_PREPARED_BYTES", "1000")
    get_settings.cache_clear()
    with pytest.raises(Invalid, match=r"At load 200 .* Choose a smaller data.load"):
        recipes.complete("cyclegan", dataset="streets", seed=None, budget=None, overrides=None)


def test_sweep_deletes_files_of_dead_uploads_and_deleted_datasets(database: Path) -> None:
    upload_dataset("kept", classes("cat", "dog"))
    upload_dataset("gone", {"1.png": picture(77)})
    settings, files = get_settings(), [catalog.files(name) for name in ("kept", "gone")]
    settings.prepared.mkdir(parents=True)
    settings.incoming.mkdir(parents=True, exist_ok=True)
    prepared = []
    for file in files:
        assert file is not None
        prepared.append(settings.prepared / f"{prepared_prefix(file.archive.name, file.index.name)}a-16x16x3-1.npy")
        prepared[-1].touch()
    dead, live = settings.incoming / "upload-dead", settings.incoming / "upload-live"
    for path in (dead, live):
        path.touch()
    catalog.delete("gone")
    for path in (*prepared, dead, *(path for file in files if file for path in (file.archive, file.index))):
        make_old(path)
    garbage.sweep()
    assert [path.exists() for path in (*prepared, dead, live)] == [True, False, False, True]
    assert [path.exists() for file in files if file for path in (file.archive, file.index)] == [
        True,
        True,
        False,
        False,
    ]


def test_recipe_can_name_an_uploaded_dataset(database: Path) -> None:
    upload_dataset("piles", {"A/1.png": picture(1), "B/2.png": picture(2)})
    datasets = catalog.all_datasets()
    _, recipe = resolve("cyclegan", dataset="piles", datasets=datasets)
    assert (recipe.data.kind, recipe.data.dataset) == ("unpaired", "piles")
    job = lifecycle.create(train.of_recipe(recipe, "cyclegan", "x"))
    with pytest.raises(Conflict, match=job.id):
        catalog.delete("piles")


def test_sandbox_closes_the_archive_after_an_upload(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open file would keep the disk space of a deleted upload."""
    intake = Intake(get_settings())
    path = incoming_archive()
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
def test_default_side_is_a_power_of_two_up_to_the_median_edge(edges: list[int], side: int) -> None:
    assert survey.default_side([(edge, 2 * edge) for edge in edges]) == side


@pytest.mark.parametrize(("edge", "side"), [(7, 16), (8, 8), (28, 28), (50, 50), (64, 64), (65, 64), (500, 64)])
def test_small_squares_of_one_size_keep_their_side(edge: int, side: int) -> None:
    assert survey.default_side([(edge, edge)] * 3) == side
    assert survey.default_side([(edge, edge)] * 3, step=4) == (side if edge != 50 else 32)


def test_class_name_takes_precedence_over_its_number() -> None:
    names = ("3", "Cat", "0")
    assert [catalog.class_number(names, wanted) for wanted in ("3", "cat", "1", "2", "0")] == [0, 1, 1, 2, 2]
    assert [catalog.class_number(names, wanted) for wanted in (0, 1, 2)] == [0, 1, 2], "a number is no name"
    with pytest.raises(Invalid, match=r"0 to 2 \(3, Cat and 0\)"):
        catalog.class_number(names, "4")
