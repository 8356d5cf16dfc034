"""SQLite as we open it: one writer at a time, nothing lost, nothing half done."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from app.core.settings import CHECKOUT
from app.db.clock import epoch_now
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from tests.support.jobs import make_job

COUNT = """
from sqlalchemy import select, text
from app.db.session import unit_of_work
for _ in range(100):
    with unit_of_work() as session:
        n = session.execute(text("SELECT step FROM jobs")).scalar_one()
        session.execute(text("UPDATE jobs SET step = :n"), {"n": n + 1})
"""


def half_done() -> None:
    with unit_of_work() as session:
        session.execute(text("UPDATE jobs SET step = 7"))
        session.execute(text("no such statement"))


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
    with pytest.raises(OperationalError):
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
    with pytest.raises(IntegrityError, match="CHECK"), unit_of_work() as session:
        session.execute(text("UPDATE jobs SET state = 'dreaming'"))
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), unit_of_work() as session:
        session.execute(text("INSERT INTO points (job_id, step, name) VALUES ('nobody', 1, 'x')"))


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
