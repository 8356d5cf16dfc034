"""Migrations, run from the program itself: no alembic command is needed."""

from alembic import command
from alembic.config import Config

from app.core.settings import CHECKOUT


def config() -> Config:
    return Config(CHECKOUT / "alembic.ini")


def upgrade(revision: str = "head") -> None:
    command.upgrade(config(), revision)


def downgrade(revision: str = "base") -> None:
    command.downgrade(config(), revision)


def check() -> None:
    """Raises when the tables and the migrations differ."""
    command.check(config())
