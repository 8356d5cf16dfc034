"""Fixtures that more than one folder uses."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.db import migrate
from app.db.session import engine
from app.services import queue
from tests.support.service import Service

StartService = Callable[..., Service]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This process's own settings: a fresh home, no database yet."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORGER_LEASE_S", "2")
    _forget()
    yield tmp_path / "home"
    engine(get_settings().database_url).dispose()
    _forget()


@pytest.fixture
def database(home: Path) -> Path:
    """A fresh home with a migrated SQLite database."""
    migrate.upgrade()
    return home


@pytest.fixture(scope="session")
def start_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartService]:
    """Starts real services; each has its own home and a free port, and all are stopped at the end."""
    started: list[Service] = []
    numbers = itertools.count()

    def start(home: Path | None = None, **settings: str) -> Service:
        service = Service(home or tmp_path_factory.mktemp(f"service{next(numbers)}"), **settings)
        started.append(service)
        return service.start()

    yield start
    for service in started:
        service.stop()


@pytest.fixture(scope="module")
def service(start_service: StartService) -> Iterator[Service]:
    """One running service per test file."""
    running = start_service()
    yield running
    running.stop()


def _forget() -> None:
    """Settings and what is made from them are kept per process; a test has its own."""
    get_settings.cache_clear()
    engine.cache_clear()
    queue.celery.cache_clear()
