"""A database for a test, of each kind that the service supports."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.postgres import Postgres

BACKENDS = ("sqlite", "postgresql")
MOSTLY_SQLITE = ("sqlite", pytest.param("postgresql", marks=pytest.mark.long))
"""for tests that reach tables only through services, whose own tests use both databases in every run"""
sqlite_only = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
"""for tests of what does not depend on the database: signals, the broker, failures of the runner itself"""


@contextmanager
def new_database(request: pytest.FixtureRequest, backend: str, home: Path) -> Iterator[dict[str, str]]:
    """Create a migrated database, as a copy of one that the whole run shares; yield the settings that select it.

    SQLite's file lies in the home and needs no settings.
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
