"""The databases as we open them: nothing lost, nothing half done, nobody waits for ever."""

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


def shown(session: Session, name: str) -> str:
    """A setting of the server, as it holds in the session."""
    value: str = session.execute(text(f"SHOW {name}")).scalar_one()
    return value


def half_done() -> None:
    with unit_of_work() as session:
        session.execute(text("UPDATE jobs SET step = 7"))
        session.execute(text("no such statement"))


@pytest.mark.processes
@on_sqlite
def test_read_then_write_from_four_processes_loses_no_update(database: Path) -> None:
    job = make_job()
    counters = [subprocess.Popen([sys.executable, "-c", COUNT], cwd=CHECKOUT) for _ in range(4)]
    assert [counter.wait() for counter in counters] == [0] * 4
    with unit_of_work(read_only=True) as session:
        found = rows.find(session, job.id)
        assert found is not None
        assert found.step == 400


def test_an_error_undoes_the_whole_unit(database: Path) -> None:
    job = make_job()
    with pytest.raises(DatabaseError):
        half_done()
    with unit_of_work(read_only=True) as session:
        found = rows.find(session, job.id)
        assert found is not None
        assert found.step == 0


def test_readers_do_not_wait_for_a_writer(database: Path) -> None:
    make_job()
    with unit_of_work() as writer:
        writer.execute(text("UPDATE jobs SET step = 7"))
        with unit_of_work(read_only=True) as reader:
            assert reader.execute(text("SELECT step FROM jobs")).scalar_one() == 0


def test_the_database_refuses_an_unknown_state_and_a_dangling_row(database: Path) -> None:
    make_job()
    with pytest.raises(IntegrityError, match=r"(?i)check constraint"), unit_of_work() as session:
        session.execute(text("UPDATE jobs SET state = 'dreaming'"))
    with pytest.raises(IntegrityError, match=r"(?i)foreign key constraint"), unit_of_work() as session:
        session.execute(text("INSERT INTO points (job_id, step, name) VALUES ('nobody', 1, 'x')"))


@on_postgresql
def test_nobody_waits_for_ever_for_a_process_that_hangs_with_a_lock(database: Path) -> None:
    job = make_job()
    with unit_of_work() as hanging:
        rows.find(hanging, job.id, lock=True)
        with unit_of_work() as other:
            assert shown(other, "lock_timeout") == "15s"
            other.execute(text("SET LOCAL lock_timeout = '100ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                rows.find(other, job.id, lock=True)
            other.rollback()
        assert shown(hanging, "idle_in_transaction_session_timeout") == "30s"


@on_sqlite
def test_the_journal_survives_a_power_cut(database: Path) -> None:
    with unit_of_work(read_only=True) as session:
        pragmas = [session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


def test_the_clock_is_the_databases_in_epoch_seconds(database: Path) -> None:
    before = time.time()
    with unit_of_work(read_only=True) as session:
        told = session.execute(select(epoch_now())).scalar_one()
    assert before - 1 < told < time.time() + 1


def test_the_clock_is_spelled_for_both_databases() -> None:
    assert "julianday" in spelled("sqlite://")
    assert "clock_timestamp" in spelled("postgresql://")


def spelled(url: str) -> str:
    return str(epoch_now().compile(dialect=make_url(url).get_dialect()()))
