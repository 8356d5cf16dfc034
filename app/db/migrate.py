"""Migrations, run from the program itself: no alembic command is needed."""

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
    """The database was written by a newer version of the service; the message says what to do."""


def upgrade(revision: str = "head") -> None:
    """Bring the database to a migration; first copy it, where it is SQLite's and has older tables.

    Raises TooNew where the database is at a migration that this version does not know.
    """
    refuse_newer()
    back_up()
    command.upgrade(config(), revision)


def back_up() -> Path | None:
    """Copy SQLite's file before it is migrated, to `<name>-at-<its migration>.db` beside it.

    None where there is nothing to migrate, and with PostgreSQL, which has its own tools (docs/operations.md).
    """
    url = make_url(get_settings().database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    file = Path(url.database)
    with engine(get_settings().database_url).begin() as connection:  # it has the write lock: nobody migrates meanwhile
        present = MigrationContext.configure(connection).get_current_revision()
        if present in (None, ScriptDirectory.from_config(config()).get_current_head()):
            return None
        target = file.with_name(f"{file.stem}-at-{present}{file.suffix}")
        with atomic_write(target) as copy, closing(sqlite3.connect(file)) as reader:
            reader.execute("VACUUM INTO ?", (str(copy),))
    return target


def refuse_newer() -> None:
    present, newest = revisions()
    if present is not None and not _known(present):
        raise TooNew(
            f"The database is at migration {present}, and version {VERSION} of the service knows none after {newest}: "
            "install the version that wrote it, or a newer one, or restore the backup made before the upgrade."
        )


def _known(revision: str) -> bool:
    script = ScriptDirectory.from_config(config())
    return any(known.revision == revision for known in script.walk_revisions())


def downgrade(revision: str = "base") -> None:
    command.downgrade(config(), revision)


def revisions() -> tuple[str | None, str | None]:
    """The database's, None when it has no tables of ours, and the newest that this version knows."""
    with engine(get_settings().database_url).connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present, ScriptDirectory.from_config(config()).get_current_head()


def check() -> None:
    """Raises when the tables and the migrations differ."""
    command.check(config())
