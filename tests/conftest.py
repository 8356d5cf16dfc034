"""Fixtures that more than one folder uses."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.db import migrate
from app.db.session import engine
from tests.support.databases import BACKENDS, new_database
from tests.support.postgres import CannotStart, Postgres
from tests.support.service import Service
from tests.support.settings import clear_caches

pytest_plugins = ["tests.selection"]
StartService = Callable[..., Service]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for the whole run."""
    try:
        server = Postgres().start()
    except CannotStart as reason:
        pytest.skip(f"PostgreSQL cannot be started here: {reason}")
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The PostgreSQL database of which others are copies."""
    name = postgres.create()
    migrate_with(DATABASE_URL=postgres.url(name))
    return name


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite database of which others are copies."""
    home = tmp_path_factory.mktemp("migrated")
    migrate_with(FORGER_HOME=str(home))
    (file,) = home.glob("*.db")
    return file


def migrate_with(**settings: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        for name, value in settings.items():
            patch.setenv(name, value)
        clear_caches()
        migrate.upgrade()
        engine(get_settings().database_url).dispose()
    clear_caches()


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database: a test that needs a database runs once on each."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What follows from a dataset alone, learned once for all homes: `share` puts it into one."""
    return tmp_path_factory.mktemp("judges")


def share(judges: Path, home: Path) -> None:
    link = home / "data" / "judges"
    if not link.exists():
        link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        link.symlink_to(judges)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This process's own settings: a fresh home, no database yet."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORGER_LEASE_S", "2")
    clear_caches()
    yield tmp_path / "home"
    engine(get_settings().database_url).dispose()
    clear_caches()


@pytest.fixture
def database(
    home: Path, backend: str, judges: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A fresh home with a migrated database."""
    share(judges, home)
    with new_database(request, backend, home) as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        clear_caches()
        yield home


@pytest.fixture(scope="module")
def start_service(tmp_path_factory: pytest.TempPathFactory, judges: Path) -> Iterator[StartService]:
    """Starts real services; each has its own home and a free port, and all are stopped after the module."""
    started: list[Service] = []
    numbers = itertools.count()

    def start(home: Path | None = None, **settings: str) -> Service:
        service = Service(home or tmp_path_factory.mktemp(f"service{next(numbers)}"), **settings)
        share(judges, service.home)
        started.append(service)
        return service.start()

    yield start
    for service in started:
        service.stop()


@pytest.fixture(scope="module")
def service(start_service: StartService) -> Service:
    """One running service per test file, as it is without any setting."""
    return start_service()
