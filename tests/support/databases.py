"""A database for a test, of each kind that the service knows."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.postgres import Postgres

BACKENDS = ("sqlite", "postgresql")
MOSTLY_SQLITE = ("sqlite", pytest.param("postgresql", marks=pytest.mark.long))
"""for tests that reach tables through services alone, whose own tests use both in every run"""


@contextmanager
def new_database(request: pytest.FixtureRequest, backend: str, home: Path) -> Iterator[dict[str, str]]:
    """The settings that lead to a migrated database of its own, a copy of one that the whole run shares.

    SQLite's lies in the home and needs no settings.
    """
    if backend == "sqlite":
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(request.getfixturevalue("migrated_file"), home)
        yield {}
        return
    migrated: str = request.getfixturevalue("migrated")
    postgres: Postgres = request.getfixturevalue("postgres")
    name = postgres.create(migrated)
    yield {"DATABASE_URL": postgres.url(name)}
    postgres.drop(name)
