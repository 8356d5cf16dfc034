"""Migrations, run from the program itself: no alembic command is needed."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.core.settings import CHECKOUT, get_settings
from app.db.session import engine


def config() -> Config:
    return Config(CHECKOUT / "alembic.ini")


def upgrade(revision: str = "head") -> None:
    command.upgrade(config(), revision)


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
