"""This process's own settings, and what is made from them once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.db import migrate
from app.db.session import engine
from app.services import queue


def forget() -> None:
    """Both are kept per process; a test that changes the environment has its own."""
    get_settings.cache_clear()
    engine.cache_clear()
    queue.celery.cache_clear()


@contextmanager
def new_home(home: Path) -> Iterator[None]:
    """Use `home` with a migrated database as this process's own, before a service is started in it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("FORGER_HOME", str(home))
        forget()
        migrate.upgrade()
        yield
        engine(get_settings().database_url).dispose()
    forget()
