"""Migrations: up and down, concurrent, without loss of rows, and refused for a newer database."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from app.core.settings import CHECKOUT, get_settings
from app.db import migrate
from app.db.repositories import points
from app.db.session import engine, unit_of_work
from app.db.tables import Base
from app.embedded.doctor import examine
from app.embedded.processes import CannotServe
from app.embedded.serve import migrate_database
from app.services.jobs import lifecycle
from tests.support.jobs import make_job
from tests.support.row_counts import count_rows

UPGRADE = "from app.db import migrate; migrate.upgrade()"


def _tables() -> set[str]:
    return set(inspect(engine(get_settings().database_url)).get_table_names())


@pytest.fixture
def newer_database(database: Path) -> None:
    """Prepare a database at a migration that this version does not know."""
    make_job()
    with engine(get_settings().database_url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_migrations_run_up_down_and_up_again(empty: Path) -> None:
    migrate.upgrade()
    assert _tables() == {*Base.metadata.tables, "alembic_version"}
    migrate.downgrade()
    assert _tables() == {"alembic_version"}
    migrate.upgrade()
    assert _tables() == {*Base.metadata.tables, "alembic_version"}


@pytest.mark.processes
def test_concurrent_processes_can_all_migrate(empty: Path) -> None:
    racers = [subprocess.Popen([sys.executable, "-c", UPGRADE], cwd=CHECKOUT) for _ in range(4)]
    assert [racer.wait() for racer in racers] == [0] * 4
    assert _tables() == {*Base.metadata.tables, "alembic_version"}


def test_migrated_tables_match_their_declarations(database: Path) -> None:
    migrate.check()


def test_migrations_folder_does_not_shadow_the_alembic_library() -> None:
    assert not (CHECKOUT / "alembic" / "__init__.py").exists()


def test_migrations_keep_jobs_events_and_points(database: Path) -> None:
    """SQLite changes a table by copying it, which could delete the rows that refer to it."""
    job = make_job()
    with unit_of_work() as session:
        points.put(session, job.id, [(20, {"b": 1.5}), (10, {"a": None, "b": 0.5})])
    for _ in range(2):
        migrate.downgrade("0003")
        assert (count_rows("jobs"), count_rows("events"), count_rows("points")) == (1, 1, 3)
        migrate.upgrade()
        assert (count_rows("jobs"), count_rows("events"), count_rows("points")) == (1, 1, 3)
    assert lifecycle.get(job.id) == replace(job, takes_s=None), "migration 0003 has no duration"
    assert lifecycle.metrics(job.id) == {"a": ([(10, None)], False), "b": ([(10, 0.5), (20, 1.5)], False)}
    lifecycle.cancel(job.id)
    lifecycle.delete(job.id)
    assert (count_rows("events"), count_rows("points")) == (0, 0), "foreign keys cascade again"


def test_migrated_tables_keep_the_check_of_the_job_state(database: Path) -> None:
    """SQLite changes a table by copying it; the copy needs the check constraint too."""
    job = make_job()
    migrate.downgrade("0003")
    migrate.upgrade()
    with pytest.raises(IntegrityError), engine(get_settings().database_url).begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'lost' WHERE id = :id"), {"id": job.id})


def test_newer_database_is_refused_and_stays_unchanged(newer_database: None) -> None:
    with pytest.raises(CannotServe, match=r"at migration 9999.*restore the backup made before the upgrade"):
        migrate_database()  # the first step of `forger serve`, of each of its parts and of `forger migrate`
    assert count_rows("jobs") == 1
    assert migrate.revisions()[0] == "9999"


@pytest.mark.processes
def test_doctor_reports_a_newer_database(newer_database: None) -> None:
    (database_finding,) = [finding for finding in examine(get_settings()) if finding.name == "database"]
    assert not database_finding.good
    assert "at migration 9999" in database_finding.message


def test_counts_of_lost_attempts_survive_a_downgrade_and_an_upgrade(database: Path) -> None:
    job = make_job()
    with engine(get_settings().database_url).begin() as connection:
        connection.execute(text("UPDATE jobs SET runner_losses = 1, worker_losses = 2 WHERE id = :id"), {"id": job.id})
    migrate.downgrade("0011")
    with engine(get_settings().database_url).connect() as connection:
        assert connection.execute(text("SELECT fruitless, abandoned FROM jobs")).one() == (1, 2)
    migrate.upgrade()
    with engine(get_settings().database_url).connect() as connection:
        assert connection.execute(text("SELECT runner_losses, worker_losses FROM jobs")).one() == (1, 2)
