"""The settings of this process, and the objects that are cached for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.db import migrate
from app.db.session import engine
from app.services import queue


def clear_caches() -> None:
    """Discard the cached settings, engine and Celery app, so that a changed environment takes effect."""
    get_settings.cache_clear()
    engine.cache_clear()
    queue.celery.cache_clear()


@contextmanager
def new_home(home: Path) -> Iterator[None]:
    """Use `home`, with a migrated database, in this process, before a service is started in it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("FORGER_HOME", str(home))
        clear_caches()
        migrate.upgrade()
        yield
        engine(get_settings().database_url).dispose()
    clear_caches()
