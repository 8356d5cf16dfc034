from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Postgres
from tests.support.settings import clear_caches


@pytest.fixture
def empty(home: Path, backend: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose database has no tables yet."""
    if backend == "sqlite":
        yield home
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = postgres.create()
    monkeypatch.setenv("DATABASE_URL", postgres.url(name))
    clear_caches()
    yield home
    postgres.drop(name)
