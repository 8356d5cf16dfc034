"""SQL statements that SQLite and PostgreSQL spell differently, and long lists for IN."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from app.db.tables import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert
from collections.abc import Collection, Iterator

Row = Mapping[str, Any]


def _insert(session: Session, table: type[Base]) -> "Insert":
    """Return the dialect's INSERT; the type is SQLite's, whose methods PostgreSQL's also has."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # a twentieth of the import time of an API process

        return cast("Insert", postgresql.insert(table))
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def upsert(session: Session, table: type[Base], rows: Sequence[Row], keys: Sequence[str]) -> None:
    """Insert rows of equal columns. A row whose `keys` exist replaces the other columns, except `id`."""
    if not rows:
        return
    statement = _insert(session, table).values(list(rows))
    changed = {name: statement.excluded[name] for name in rows[0] if name not in {*keys, "id"}}
    session.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed))


def insert_missing(session: Session, table: type[Base], row: Row) -> bool:
    """Add the row unless its key exists; return whether it was added."""
    statement = _insert(session, table).values(dict(row)).on_conflict_do_nothing()
    return session.execute(statement.returning(*inspect(table).primary_key)).first() is not None


MAX_IN_VALUES = 5_000


def in_parts(items: Collection[str]) -> Iterator[Sequence[str]]:
    """Yield the items in parts of at most MAX_IN_VALUES: a statement has a limited number of parameters."""
    listed = list(items)
    for start in range(0, len(listed), MAX_IN_VALUES):
        yield listed[start : start + MAX_IN_VALUES]
