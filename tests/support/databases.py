"""A database for a test, of each kind that the service knows."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.postgres import Postgres

BACKENDS = ("sqlite", "postgresql")


@contextmanager
def new_database(request: pytest.FixtureRequest, backend: str) -> Iterator[dict[str, str]]:
    """The settings that lead to a migrated database of its own; SQLite's lies in the home and needs none."""
    if backend == "sqlite":
        yield {}
        return
    migrated: str = request.getfixturevalue("migrated")
    postgres: Postgres = request.getfixturevalue("postgres")
    name = postgres.create(migrated)
    yield {"DATABASE_URL": postgres.url(name)}
    postgres.drop(name)
