"""Databases that refuse to grow, as where the disk is full."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import event, text

from app.core.settings import get_settings
from app.db.session import engine, unit_of_work


@contextmanager
def full_sqlite() -> Iterator[None]:
    """Let SQLite add no page: it then fails as it does on a full disk."""
    database, limit = engine(get_settings().database_url), 1

    def limit_pages(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limit}")

    event.listen(database, "checkout", limit_pages)
    try:
        yield
    finally:
        limit = 1 << 30
        with unit_of_work():
            pass
        database.dispose()
        event.remove(database, "checkout", limit_pages)


@contextmanager
def full_postgresql() -> Iterator[None]:
    """Let PostgreSQL refuse each new job with the error of a full disk."""
    full = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END"
    with unit_of_work() as session:
        session.execute(text(f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $${full}$$"))
        session.execute(text("CREATE TRIGGER full_disk BEFORE INSERT ON jobs EXECUTE FUNCTION full_disk()"))
    try:
        yield
    finally:
        with unit_of_work() as session:
            session.execute(text("DROP FUNCTION full_disk CASCADE"))


FULL_DATABASES: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "sqlite": full_sqlite,
    "postgresql": full_postgresql,
}
"""by kind of database: makes the test's database full until the block ends"""
