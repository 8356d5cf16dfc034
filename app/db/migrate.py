"""Run the migrations from within the program, without the alembic command."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from app.core.settings import CHECKOUT, get_settings
from app.db.session import engine
from forger.wire import VERSION
from models.durable import atomic_write


def config() -> Config:
    return Config(CHECKOUT / "alembic.ini")


class TooNew(Exception):
    """The error that a newer version of the service wrote the database; its message says what to do."""


def upgrade(revision: str = "head") -> None:
    """Bring the database to a migration. First back it up if it is SQLite's and has older tables.

    Raises TooNew if the database is at a migration that this version does not know.
    """
    refuse_newer()
    back_up()
    command.upgrade(config(), revision)


def back_up() -> Path | None:
    """Copy SQLite's file before it is migrated to `<name>-at-<its migration>.db` in its folder; return the copy.

    Return None if there is nothing to migrate, and for PostgreSQL, which has its own tools (docs/operations.md).
    """
    url = make_url(get_settings().database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    file = Path(url.database)
    # The transaction holds the write lock, so that no other process migrates meanwhile.
    with engine(get_settings().database_url).begin() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        if present in (None, ScriptDirectory.from_config(config()).get_current_head()):
            return None
        target = file.with_name(f"{file.stem}-at-{present}{file.suffix}")
        with atomic_write(target) as copy, closing(sqlite3.connect(file)) as reader:
            reader.execute("VACUUM INTO ?", (str(copy),))
    return target


def refuse_newer() -> None:
    """Raise TooNew if the database is at a migration that this version does not know."""
    present, newest = revisions()
    if present is not None and not _is_known_revision(present):
        raise TooNew(
            f"The database is at migration {present}, and version {VERSION} of the service knows none after {newest}: "
            "install the version that wrote it, or a newer one, or restore the backup made before the upgrade."
        )


def _is_known_revision(revision: str) -> bool:
    script = ScriptDirectory.from_config(config())
    return any(migration.revision == revision for migration in script.walk_revisions())


def downgrade(revision: str = "base") -> None:
    command.downgrade(config(), revision)


def revisions() -> tuple[str | None, str | None]:
    """Return the database's migration, None if it has no tables of ours; and the newest that this version knows."""
    with engine(get_settings().database_url).connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present, ScriptDirectory.from_config(config()).get_current_head()


def check() -> None:
    """Raise an error of Alembic if the table definitions and the migrations differ."""
    command.check(config())
