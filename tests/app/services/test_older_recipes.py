"""Recipes of an earlier version are lifted wherever one is read that the service once wrote."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sqlalchemy import select

from app.core.settings import CHECKOUT, get_settings
from app.core.store import Store
from app.db.repositories import datasets as dataset_rows
from app.db.session import unit_of_work
from app.db.tables import Job, ModelVersion
from app.services.creation import train
from app.services.experiments import compare
from app.services.experiments import lifecycle as experiments
from app.services.job_spec import Train
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from forger.wire import JobState
from models.export import METADATA_KEY, export_checkpoint, load_export
from models.spec import upgrade
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import export_file, make_job, put_in
from tests.support.packages import PACKAGES

Json = dict[str, Any]
once = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
RAW = re.compile(r"Recipe\.model_validate|\.recipe\[|recipe=row\.recipe\b(?!\.)")
READERS = {"models/spec/upgrade.py", "models/spec/resolve.py", "worker/runners/ranks.py"}
"""what reads a stored recipe, what a client sends, what this very process sent, and what was read already"""


def lower(recipe: Recipe | Json) -> Json:
    """A recipe as version 0 would have said it: other names, also inside its parts."""
    old = recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else upgrade.upgrade(recipe)
    data = dict(old["data"])
    data["set"] = data.pop("dataset")
    return {"batch": old.pop("batch_size"), **old, "data": data, "version": 0}


def lift(recipe: Json) -> Json:
    data = dict(recipe["data"])
    data["dataset"] = data.pop("set")
    rest = {name: value for name, value in recipe.items() if name != "batch"}
    return {**rest, "batch_size": recipe["batch"], "data": data, "version": 1}


@pytest.fixture(autouse=True)
def _version_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(upgrade.UPGRADES, 0, lift)


def age_rows() -> None:
    """Write every recipe in the database as version 0 had it."""
    with unit_of_work() as session:
        for job in session.scalars(select(Job)):
            job.spec = {**job.spec, "recipe": lower(job.spec["recipe"])}
        for version in session.scalars(select(ModelVersion)):
            version.recipe = lower(version.recipe)


def test_rows_of_an_earlier_version_are_read_trained_extended_and_published(database: Path) -> None:
    job = make_job("gan", "ring8", steps=20)
    age_rows()
    assert lifecycle.get(job.id) == job
    assert lifecycle.list_jobs()[0] == [job]
    put_in(JobState.RUNNING, job.id)
    assert attempts.held(job.id, 1).recipe == job.recipe
    kept = write_checkpoint(job.id, 20)
    attempts.succeed(job.id, 1, export_file(), {}, step=20, figures={})
    age_rows()
    (version,) = registry.versions()
    assert version.recipe == registry.find(version.name).recipe == job.recipe
    with unit_of_work() as session:
        assert dataset_rows.model_of(session, "ring8") == (version.name, version.version)
        assert dataset_rows.model_of(session, "grid25") is None
    assert lifecycle.extend(job.id, 5).recipe.budget.steps == 25
    age_rows()
    again = registry.publish(
        "again", kept.id, lambda recipe, saved, out, threads: export_checkpoint(recipe, saved, out)
    )
    assert again.recipe == lifecycle.get(job.id).recipe
    begun = lifecycle.get(make_job("gan", "ring8", start_from=kept.id).id).spec
    assert isinstance(begun, Train)
    assert begun.start_from is not None


@once
def test_a_budget_in_minutes_of_an_earlier_version_is_settled(database: Path) -> None:
    name, recipe = resolve("gan", dataset="ring8", budget={"minutes": 2})
    job = lifecycle.create(train.of_recipe(recipe, name, "timed"))
    age_rows()
    assert attempts.claim(job.id, "tests") is not None
    assert attempts.settle_budget(job.id, 1, 900).budget.steps == 900
    assert lifecycle.get(job.id).recipe.version == 1


@once
def test_experiments_and_comparisons_read_them_too(database: Path) -> None:
    asked: Json = {"name": "two", "recipe": "gan", "dataset": "ring8", "budget": {"steps": 5}, "overrides": None}
    planned = experiments.plan(**asked, cases=None, grid={"/batch_size": [8, 16]}, seeds=1, model=None)
    made = experiments.create("two", {}, planned)
    age_rows()
    assert [member.seed for member in experiments.get(made.id).jobs] == [member.seed for member in made.jobs]
    beside = compare.compare([member.id for member in made.jobs])
    assert "batch_size" in str(beside.differences)


def test_a_recipe_sent_whole_may_be_of_an_earlier_version() -> None:
    recipe = resolve("gan", dataset="ring8", budget={"steps": 5})[1]
    assert resolve(lower(recipe)) == (None, recipe)


@once
def test_an_export_of_an_earlier_version_loads(database: Path, tmp_path: Path) -> None:
    job = make_job("gan", "ring8", steps=5)
    put_in(JobState.RUNNING, job.id)
    kept = write_checkpoint(job.id, 5)
    made, old = tmp_path / "new.safetensors", tmp_path / "old.safetensors"
    export_checkpoint(job.recipe, get_settings().checkpoints(job.id) / kept.file, made)
    with safe_open(made, framework="pt") as file:
        header = json.loads(file.metadata()[METADATA_KEY])
    header["recipe"] = lower(header["recipe"])
    save_file(load_file(made), old, metadata={METADATA_KEY: json.dumps(header)})
    assert load_export(old).recipe == job.recipe
    assert Store(get_settings().artifacts).put_file(old)


def test_nothing_else_reads_a_stored_recipe() -> None:
    """The client reads none: those of replies are lifted."""
    service = [name for name in PACKAGES if name != "forger"]
    files = [path for folder in service for path in (CHECKOUT / folder).rglob("*.py")]
    found = {str(path.relative_to(CHECKOUT)) for path in files if RAW.search(path.read_text())}
    assert found <= READERS
