"""Migration 0011 converts the jobs of the version before it, and its downgrade restores them.

jobs_at_0010.json holds one job of each kind, an extended training and a training that started from another's weights.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.core.settings import get_settings
from app.db import migrate
from app.db.session import engine
from app.services.job_spec import Evaluate, Generate, Train, Translate
from app.services.jobs import lifecycle

Json = dict[str, Any]
OLD_ROWS = (Path(__file__).parent / "jobs_at_0010.json").read_text()
JSON_COLUMNS = ("recipe", "start", "asked")
COLUMNS = ("id", "kind", "family", "model_name", "dataset", *JSON_COLUMNS, "subject", "devices", "total")
OTHER_COLUMNS: Json = {
    "state": "queued", "step": 0, "last_event": 1, "fence": 0, "fruitless": 0, "created_at": 1.0, "queued_at": 1.0,
}  # fmt: skip


@pytest.fixture
def old_rows(database: Path) -> list[Json]:
    """Return the rows of a database at migration 0010."""
    migrate.downgrade("0010")
    rows: list[Json] = json.loads(OLD_ROWS)
    with engine(get_settings().database_url).begin() as connection:
        for row in rows:
            encoded = {name: None if row[name] is None else json.dumps(row[name]) for name in JSON_COLUMNS}
            values = row | encoded | OTHER_COLUMNS
            columns, placeholders = ", ".join(values), ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO jobs ({columns}) VALUES ({placeholders})"), values)
    return rows


def _stored() -> list[Json]:
    with engine(get_settings().database_url).connect() as connection:
        result = connection.execute(text(f"SELECT {', '.join(COLUMNS)} FROM jobs ORDER BY id")).mappings()
        rows = [dict(row) for row in result]
    for row in rows:
        for name in JSON_COLUMNS:
            row[name] = json.loads(row[name]) if isinstance(row[name], str) else row[name]
    return rows


def test_every_kind_of_old_job_is_read_as_requested(old_rows: list[Json]) -> None:
    migrate.upgrade()
    jobs = [lifecycle.get(row["id"]) for row in old_rows]
    for row, job in zip(old_rows, jobs, strict=True):
        assert (job.kind, job.family, job.model_name, job.dataset, job.total) == tuple(
            row[name] for name in ("kind", "family", "model_name", "dataset", "total")
        )
        assert job.recipe.model_dump(mode="json") == row["recipe"]
        assert job.spec.source_job == row["subject"]
    shared, extended, started_from, checkpoint, model, generated, translated, _ = (job.spec for job in jobs)
    assert isinstance(shared, Train)
    assert (shared.devices, shared.start_from, shared.extended_at) == (2, None, None)
    assert isinstance(extended, Train)
    assert extended.extended_at == 20
    assert isinstance(started_from, Train)
    assert started_from.start_from is not None
    old_start = old_rows[2]["start"]
    assert started_from.start_from.model_dump() == {
        name: old_start.get(name) for name in ("model", "checkpoint", "job", "step", "sha256")
    }
    assert isinstance(checkpoint, Evaluate)
    assert (checkpoint.n, checkpoint.figures, checkpoint.weights.model) == (200, ["modes"], None)
    assert isinstance(model, Evaluate)
    assert (model.weights.model, model.weights.checkpoint, model.weights.step) == ("gan-ring8@1", None, 20)
    assert isinstance(generated, Generate)
    assert (generated.n, generated.seed, generated.temperature, generated.format) == (100, 4, 0.5, "npz")
    assert isinstance(translated, Translate)
    assert (translated.dataset, translated.direction, translated.files) == ("digits", "a2b", None)


def test_downgrade_restores_the_old_rows(old_rows: list[Json]) -> None:
    migrate.upgrade()
    migrate.downgrade("0010")
    assert _stored() == old_rows


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_database_is_copied_before_it_is_migrated(old_rows: list[Json]) -> None:
    migrate.upgrade()
    migrate.upgrade()  # nothing to migrate, nothing to copy
    file = Path(engine(get_settings().database_url).url.database or "")
    (copy,) = file.parent.glob("*-at-*")
    assert copy.name == f"{file.stem}-at-0010{file.suffix}"
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*), count(recipe) FROM jobs").fetchone() == (
            len(old_rows),
            len(old_rows),
        )


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_new_database_is_not_copied(empty: Path) -> None:
    migrate.upgrade()
    assert not list(empty.glob("*-at-*"))
