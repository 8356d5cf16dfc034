"""Jobs that the version before migration 0011 wrote are read, and can be taken back to it.

jobs_at_0010.json holds the rows of one job of each kind, an extended one and one that began with another's weights.
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
BEFORE = (Path(__file__).parent / "jobs_at_0010.json").read_text()
JSON_COLUMNS = ("recipe", "start", "asked")
NAMES = ("id", "kind", "family", "model_name", "dataset", *JSON_COLUMNS, "subject", "devices", "total")
REST: Json = {
    "state": "queued", "step": 0, "last_event": 1, "fence": 0, "fruitless": 0, "created_at": 1.0, "queued_at": 1.0,
}  # fmt: skip


@pytest.fixture
def before(database: Path) -> list[Json]:
    """The rows, in a database at migration 0010."""
    migrate.downgrade("0010")
    rows: list[Json] = json.loads(BEFORE)
    with engine(get_settings().database_url).begin() as connection:
        for row in rows:
            told = {name: None if row[name] is None else json.dumps(row[name]) for name in JSON_COLUMNS}
            values = row | told | REST
            columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO jobs ({columns}) VALUES ({places})"), values)
    return rows


def _stored() -> list[Json]:
    with engine(get_settings().database_url).connect() as connection:
        found = connection.execute(text(f"SELECT {', '.join(NAMES)} FROM jobs ORDER BY id")).mappings()
        rows = [dict(row) for row in found]
    for row in rows:
        for name in JSON_COLUMNS:
            row[name] = json.loads(row[name]) if isinstance(row[name], str) else row[name]
    return rows


def test_every_kind_of_job_is_read_as_it_was_asked(before: list[Json]) -> None:
    migrate.upgrade()
    jobs = [lifecycle.get(row["id"]) for row in before]
    for row, job in zip(before, jobs, strict=True):
        assert (job.kind, job.family, job.model_name, job.dataset, job.total) == tuple(
            row[name] for name in ("kind", "family", "model_name", "dataset", "total")
        )
        assert job.recipe.model_dump(mode="json") == row["recipe"]
        assert job.spec.source_job == row["subject"]
    shared, extended, begun, checkpoint, model, drawn, translated, _ = (job.spec for job in jobs)
    assert isinstance(shared, Train)
    assert (shared.devices, shared.start_from, shared.extended_at) == (2, None, None)
    assert isinstance(extended, Train)
    assert extended.extended_at == 20
    assert isinstance(begun, Train)
    assert begun.start_from is not None
    told = before[2]["start"]
    assert begun.start_from.model_dump() == {
        name: told.get(name) for name in ("model", "checkpoint", "job", "step", "sha256")
    }
    assert isinstance(checkpoint, Evaluate)
    assert (checkpoint.n, checkpoint.figures, checkpoint.weights.model) == (200, ["modes"], None)
    assert isinstance(model, Evaluate)
    assert (model.weights.model, model.weights.checkpoint, model.weights.step) == ("gan-ring8@1", None, 20)
    assert isinstance(drawn, Generate)
    assert (drawn.n, drawn.seed, drawn.temperature, drawn.format) == (100, 4, 0.5, "npz")
    assert isinstance(translated, Translate)
    assert (translated.dataset, translated.direction, translated.files) == ("digits", "a2b", None)


def test_the_way_back_gives_the_rows_of_before(before: list[Json]) -> None:
    migrate.upgrade()
    migrate.downgrade("0010")
    assert _stored() == before


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_database_is_copied_before_it_is_migrated(before: list[Json]) -> None:
    migrate.upgrade()
    migrate.upgrade()  # nothing to migrate, nothing to copy
    file = Path(engine(get_settings().database_url).url.database or "")
    (copy,) = file.parent.glob("*-at-*")
    assert copy.name == f"{file.stem}-at-0010{file.suffix}"
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*), count(recipe) FROM jobs").fetchone() == (len(before), len(before))


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_new_database_is_not_copied(empty: Path) -> None:
    migrate.upgrade()
    assert not list(empty.glob("*-at-*"))
