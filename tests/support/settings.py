"""This process's own settings, and what is made from them once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.db.session import engine
from app.services import queue


def forget() -> None:
    """Both are kept per process; a test that changes the environment has its own."""
    get_settings.cache_clear()
    engine.cache_clear()
    queue.celery.cache_clear()


@contextmanager
def own_settings(home: Path) -> Iterator[None]:
    """Those of a service whose home this is, for as long as it is open."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("FORGER_HOME", str(home))
        forget()
        yield
    forget()
