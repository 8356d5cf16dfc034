"""SQL that SQLite and PostgreSQL spell differently: the clock, upserts, and long lists for IN."""

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
    """Both dialects' inserts have these methods in the same spelling; one type stands for the two."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # a twentieth of all that an API imports

        return cast("Insert", postgresql.insert(table))
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def upsert(session: Session, table: type[Base], rows: Sequence[Row], keys: Sequence[str]) -> None:
    """Every row has the same columns; those not in `keys` replace what is there (an `id` stays)."""
    if not rows:
        return
    statement = _insert(session, table).values(list(rows))
    changed = {name: statement.excluded[name] for name in rows[0] if name not in {*keys, "id"}}
    session.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed))


def insert_missing(session: Session, table: type[Base], row: Row) -> bool:
    """Adds the row unless its key is there; whether it was added."""
    statement = _insert(session, table).values(dict(row)).on_conflict_do_nothing()
    return session.execute(statement.returning(*inspect(table).primary_key)).first() is not None


PART = 5_000


def in_parts(items: Collection[str]) -> Iterator[Sequence[str]]:
    whole = list(items)
    for start in range(0, len(whole), PART):
        yield whole[start : start + PART]
