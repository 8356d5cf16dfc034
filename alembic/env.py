"""Migrations run against the service's own engine, so that SQLite's are atomic.

Any number of processes may do so at once: one migrates, the others wait and find it done. SQLite lets in one writer
anyhow; PostgreSQL has a lock for such ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from sqlalchemy import Connection, text

from app.core.settings import get_settings
from app.db.session import engine
from app.db.tables import Base

MIGRATING = 6_018_205_117
"""An arbitrary number that names our lock among those of the database."""


def wait_for_others(connection: Connection) -> None:
    """Holds the lock until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # however long the others' migration takes
        connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": MIGRATING})


@contextmanager
def copied_tables_keep_their_own(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by copying it; dropping the old one would empty every table that refers to it.

    The switch does nothing inside a transaction, and a statement of SQLAlchemy's begins one.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        raw.execute("PRAGMA foreign_keys=ON")


def run() -> None:
    with engine(get_settings().database_url).connect() as connection, copied_tables_keep_their_own(connection):
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            transactional_ddl=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            wait_for_others(connection)
            context.run_migrations()


run()
