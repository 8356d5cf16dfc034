"""Migrations run against the service's own engine, so that SQLite's are atomic."""

from alembic import context

from app.core.settings import get_settings
from app.db.session import engine
from app.db.tables import Base


def run() -> None:
    with engine(get_settings().database_url).connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            transactional_ddl=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
