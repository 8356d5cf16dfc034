"""The number of rows in a table of this process's database."""

from sqlalchemy import text

from app.core.settings import get_settings
from app.db.session import engine


def count_rows(table: str) -> int:
    """Return the number of committed rows; the database may be at any migration."""
    with engine(get_settings().database_url).connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
