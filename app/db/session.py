"""Database engines, and the unit of work: one transaction, committed if its block raises nothing."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Float, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.core.settings import get_settings

READ_ONLY = "forger_read_only"


_SQLITE_POOL = {"pool_size": 40, "max_overflow": 24, "pool_pre_ping": True}


# Every process has such a pool, and a PostgreSQL server accepts 100 connections by default.
_POSTGRES_POOL = {"pool_size": 5, "max_overflow": 15, "pool_pre_ping": True}


# Neither a process that hangs inside a transaction nor a network that drops packets must block the other processes.
_POSTGRES_LIMITS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 20_000,
    "options": "-c lock_timeout=15s -c idle_in_transaction_session_timeout=30s",
}


_PRAGMAS = ("busy_timeout=15000", "synchronous=FULL", "foreign_keys=ON")


_WAL_RETRY_PAUSES_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12)


@lru_cache
def engine(url: str) -> Engine:
    """Return the process's engine for a database.

    Never use AUTOCOMMIT with SQLite's: it would roll back silently. A limit in the URL takes precedence over ours for
    PostgreSQL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        limits = {name: value for name, value in _POSTGRES_LIMITS.items() if name not in parsed.query}
        return create_engine(url, connect_args=limits, **_POSTGRES_POOL)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    sqlite_engine = create_engine(url, connect_args={"check_same_thread": False}, **_SQLITE_POOL)
    event.listen(sqlite_engine, "connect", _on_connect)
    event.listen(sqlite_engine, "begin", _on_begin)
    return sqlite_engine


def _on_connect(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the begin hook starts transactions, not the driver
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    _switch_to_wal(cursor)
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Switch a new database file to write-ahead logging.

    While one connection switches it, SQLite refuses the others at once, without waiting for busy_timeout.
    """
    for pause in _WAL_RETRY_PAUSES_S:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            time.sleep(pause)  # longer each time, so that one of many succeeds
    cursor.execute("PRAGMA journal_mode=WAL")


def _on_begin(connection: Connection) -> None:
    # A writer takes the write lock first: a read that becomes a write fails at once, whatever the timeout.
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def unit_of_work(*, read_only: bool = False) -> Iterator[Session]:
    """Yield the session of one transaction; commit it when the block ends, roll it back when the block raises."""
    with Session(engine(get_settings().database_url), expire_on_commit=False) as session, session.begin():
        session.connection(execution_options={READ_ONLY: read_only})
        yield session


class epoch_now(FunctionElement[float]):
    """SQL expression of the database's clock in epoch seconds, UTC."""

    type = Float()
    inherit_cache = True


@compiles(epoch_now, "sqlite")
def _sqlite(element: epoch_now, compiler: SQLCompiler, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(epoch_now, "postgresql")
def _postgresql(element: epoch_now, compiler: SQLCompiler, **kw: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"
