"""Database sessions: lost updates, rollback, constraints, lock time-outs and durability."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from app.core.settings import CHECKOUT
from app.db.repositories import jobs as rows
from app.db.session import epoch_now, unit_of_work
from tests.support.jobs import make_job

COUNT = """
from sqlalchemy import select, text
from app.db.session import unit_of_work
for _ in range(100):
    with unit_of_work() as session:
        n = session.execute(text("SELECT step FROM jobs")).scalar_one()
        session.execute(text("UPDATE jobs SET step = :n"), {"n": n + 1})
"""


on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


def server_setting(session: Session, name: str) -> str:
    """Return the value of a server setting in this session."""
    value: str = session.execute(text(f"SHOW {name}")).scalar_one()
    return value


def update_then_fail() -> None:
    with unit_of_work() as session:
        session.execute(text("UPDATE jobs SET step = 7"))
        session.execute(text("no such statement"))


def compiled(url: str) -> str:
    return str(epoch_now().compile(dialect=make_url(url).get_dialect()()))


@pytest.mark.processes
@on_sqlite
def test_concurrent_read_then_write_loses_no_update(database: Path) -> None:
    job = make_job()
    counters = [subprocess.Popen([sys.executable, "-c", COUNT], cwd=CHECKOUT) for _ in range(4)]
    assert [counter.wait() for counter in counters] == [0] * 4
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job.id)
        assert row is not None
        assert row.step == 400


def test_error_rolls_back_the_whole_unit_of_work(database: Path) -> None:
    job = make_job()
    with pytest.raises(DatabaseError):
        update_then_fail()
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job.id)
        assert row is not None
        assert row.step == 0


def test_readers_do_not_wait_for_a_writer(database: Path) -> None:
    make_job()
    with unit_of_work() as writer:
        writer.execute(text("UPDATE jobs SET step = 7"))
        with unit_of_work(read_only=True) as reader:
            assert reader.execute(text("SELECT step FROM jobs")).scalar_one() == 0


def test_database_refuses_an_unknown_state_and_a_missing_reference(database: Path) -> None:
    make_job()
    with pytest.raises(IntegrityError, match=r"(?i)check constraint"), unit_of_work() as session:
        session.execute(text("UPDATE jobs SET state = 'dreaming'"))
    with pytest.raises(IntegrityError, match=r"(?i)foreign key constraint"), unit_of_work() as session:
        session.execute(text("INSERT INTO points (job_id, step, name) VALUES ('nobody', 1, 'x')"))


@on_postgresql
def test_lock_of_a_hanging_process_times_out(database: Path) -> None:
    job = make_job()
    with unit_of_work() as hanging:
        rows.find(hanging, job.id, lock=True)
        with unit_of_work() as other:
            assert server_setting(other, "lock_timeout") == "15s"
            other.execute(text("SET LOCAL lock_timeout = '100ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                rows.find(other, job.id, lock=True)
            other.rollback()
        assert server_setting(hanging, "idle_in_transaction_session_timeout") == "30s"


@on_sqlite
def test_sqlite_journal_is_wal_with_full_sync(database: Path) -> None:
    with unit_of_work(read_only=True) as session:
        pragmas = [session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


def test_epoch_now_is_the_time_in_epoch_seconds(database: Path) -> None:
    before = time.time()
    with unit_of_work(read_only=True) as session:
        now = session.execute(select(epoch_now())).scalar_one()
    assert before - 1 < now < time.time() + 1


def test_epoch_now_compiles_for_both_databases() -> None:
    assert "julianday" in compiled("sqlite://")
    assert "clock_timestamp" in compiled("postgresql://")
