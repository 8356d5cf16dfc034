"""This process's own settings, and what is made from them once."""

from app.core.settings import get_settings
from app.db.session import engine
from app.services import queue


def forget() -> None:
    """Both are kept per process; a test that changes the environment has its own."""
    get_settings.cache_clear()
    engine.cache_clear()
    queue.celery.cache_clear()
