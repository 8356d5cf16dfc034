"""Stored recipes of an earlier version are upgraded wherever they are read."""

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
sqlite_only = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
UNCHECKED_READ = re.compile(r"Recipe\.model_validate|\.recipe\[|recipe=row\.recipe\b(?!\.)")
ALLOWED_READERS = {"models/spec/upgrade.py", "models/spec/resolve.py", "worker/runners/ranks.py"}
"""they read stored recipes, recipes in requests, and recipes that this process sent to its ranks"""


def downgraded(recipe: Recipe | Json) -> Json:
    """Return the recipe as an imagined version 0 would write it: with other names, also inside its parts."""
    current = recipe.model_dump(mode="json") if isinstance(recipe, Recipe) else upgrade.upgrade(recipe)
    data = dict(current["data"])
    data["set"] = data.pop("dataset")
    return {"batch": current.pop("batch_size"), **current, "data": data, "version": 0}


def upgraded(recipe: Json) -> Json:
    data = dict(recipe["data"])
    data["dataset"] = data.pop("set")
    rest = {name: value for name, value in recipe.items() if name != "batch"}
    return {**rest, "batch_size": recipe["batch"], "data": data, "version": 1}


@pytest.fixture(autouse=True)
def _version_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(upgrade.UPGRADES, 0, upgraded)


def downgrade_rows() -> None:
    """Rewrite every recipe in the database as version 0."""
    with unit_of_work() as session:
        for job in session.scalars(select(Job)):
            job.spec = {**job.spec, "recipe": downgraded(job.spec["recipe"])}
        for version in session.scalars(select(ModelVersion)):
            version.recipe = downgraded(version.recipe)


def test_old_rows_are_read_trained_extended_and_published(database: Path) -> None:
    job = make_job("gan", "ring8", steps=20)
    downgrade_rows()
    assert lifecycle.get(job.id) == job
    assert lifecycle.list_jobs()[0] == [job]
    put_in(JobState.RUNNING, job.id)
    assert attempts.current_job(job.id, 1).recipe == job.recipe
    kept = write_checkpoint(job.id, 20)
    attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    downgrade_rows()
    (version,) = registry.versions()
    assert version.recipe == registry.find(version.name).recipe == job.recipe
    with unit_of_work() as session:
        assert dataset_rows.model_of(session, "ring8") == (version.name, version.version)
        assert dataset_rows.model_of(session, "grid25") is None
    assert lifecycle.extend(job.id, 5).recipe.budget.steps == 25
    downgrade_rows()
    published = registry.publish(
        "again", kept.id, lambda recipe, file, out, threads: export_checkpoint(recipe, file, out)
    )
    assert published.recipe == lifecycle.get(job.id).recipe
    spec = lifecycle.get(make_job("gan", "ring8", start_from=kept.id).id).spec
    assert isinstance(spec, Train)
    assert spec.start_from is not None


@sqlite_only
def test_budget_in_minutes_of_an_old_recipe_is_fixed(database: Path) -> None:
    name, recipe = resolve("gan", dataset="ring8", budget={"minutes": 2})
    job = lifecycle.create(train.of_recipe(recipe, name, "timed"))
    downgrade_rows()
    assert attempts.claim(job.id, "tests") is not None
    assert attempts.fix_budget(job.id, 1, 900).budget.steps == 900
    assert lifecycle.get(job.id).recipe.version == 1


@sqlite_only
def test_experiments_and_comparisons_read_old_recipes(database: Path) -> None:
    request: Json = {"name": "two", "recipe": "gan", "dataset": "ring8", "budget": {"steps": 5}, "overrides": None}
    plan = experiments.plan(**request, cases=None, grid={"/batch_size": [8, 16]}, seeds=1, model=None)
    experiment = experiments.create("two", {}, plan)
    downgrade_rows()
    assert [member.seed for member in experiments.get(experiment.id).jobs] == [
        member.seed for member in experiment.jobs
    ]
    comparison = compare.compare([member.id for member in experiment.jobs])
    assert "batch_size" in str(comparison.differences)


def test_old_recipe_can_be_sent_in_a_request() -> None:
    recipe = resolve("gan", dataset="ring8", budget={"steps": 5})[1]
    assert resolve(downgraded(recipe)) == (None, recipe)


@sqlite_only
def test_export_with_an_old_recipe_loads(database: Path, tmp_path: Path) -> None:
    job = make_job("gan", "ring8", steps=5)
    put_in(JobState.RUNNING, job.id)
    kept = write_checkpoint(job.id, 5)
    new, old = tmp_path / "new.safetensors", tmp_path / "old.safetensors"
    export_checkpoint(job.recipe, get_settings().checkpoints(job.id) / kept.file, new)
    with safe_open(new, framework="pt") as file:
        header = json.loads(file.metadata()[METADATA_KEY])
    header["recipe"] = downgraded(header["recipe"])
    save_file(load_file(new), old, metadata={METADATA_KEY: json.dumps(header)})
    assert load_export(old).recipe == job.recipe
    assert Store(get_settings().artifacts).put_file(old)


def test_stored_recipes_are_read_only_by_the_upgrading_code() -> None:
    """The client is left out: recipes in replies are upgraded already."""
    service = [name for name in PACKAGES if name != "forger"]
    files = [path for folder in service for path in (CHECKOUT / folder).rglob("*.py")]
    found = {str(path.relative_to(CHECKOUT)) for path in files if UNCHECKED_READ.search(path.read_text())}
    assert found <= ALLOWED_READERS
