from pathlib import Path

from sqlalchemy import inspect

from app.core.settings import CHECKOUT, get_settings
from app.db import migrate
from app.db.session import engine
from app.db.tables import Base


def _tables() -> set[str]:
    return set(inspect(engine(get_settings().database_url)).get_table_names())


def test_up_down_and_up_again(home: Path) -> None:
    migrate.upgrade()
    assert _tables() == {*Base.metadata.tables, "alembic_version"}
    migrate.downgrade()
    assert _tables() == {"alembic_version"}
    migrate.upgrade()
    assert _tables() == {*Base.metadata.tables, "alembic_version"}


def test_the_migrations_make_the_tables_as_they_are_declared(database: Path) -> None:
    migrate.check()


def test_the_migrations_folder_does_not_shadow_the_library() -> None:
    assert not (CHECKOUT / "alembic" / "__init__.py").exists()
