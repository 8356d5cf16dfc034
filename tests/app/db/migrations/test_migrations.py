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

UPGRADE = "from app.db import migrate; migrate.upgrade()"


def _tables() -> set[str]:
    return set(inspect(engine(get_settings().database_url)).get_table_names())


def test_up_down_and_up_again(empty: Path) -> None:
    migrate.upgrade()
    assert _tables() == {*Base.metadata.tables, "alembic_version"}
    migrate.downgrade()
    assert _tables() == {"alembic_version"}
    migrate.upgrade()
    assert _tables() == {*Base.metadata.tables, "alembic_version"}


@pytest.mark.processes
def test_many_processes_may_migrate_at_once(empty: Path) -> None:
    racers = [subprocess.Popen([sys.executable, "-c", UPGRADE], cwd=CHECKOUT) for _ in range(4)]
    assert [racer.wait() for racer in racers] == [0] * 4
    assert _tables() == {*Base.metadata.tables, "alembic_version"}


def test_the_migrations_make_the_tables_as_they_are_declared(database: Path) -> None:
    migrate.check()


def test_the_migrations_folder_does_not_shadow_the_library() -> None:
    assert not (CHECKOUT / "alembic" / "__init__.py").exists()


def _count(table: str) -> int:
    with engine(get_settings().database_url).connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_no_migration_loses_what_jobs_have_left(database: Path) -> None:
    """SQLite copies a table to change it, and would empty those that refer to it."""
    job = make_job()
    with unit_of_work() as session:
        points.put(session, job.id, [(20, {"b": 1.5}), (10, {"a": None, "b": 0.5})])
    for _ in range(2):
        migrate.downgrade("0003")
        assert (_count("jobs"), _count("events"), _count("points")) == (1, 1, 3)
        migrate.upgrade()
        assert (_count("jobs"), _count("events"), _count("points")) == (1, 1, 3)
    assert lifecycle.get(job.id) == replace(job, takes_s=None), "how long it takes was not known before"
    assert lifecycle.metrics(job.id) == {"a": ([(10, None)], False), "b": ([(10, 0.5), (20, 1.5)], False)}
    lifecycle.cancel(job.id)
    lifecycle.delete(job.id)
    assert (_count("events"), _count("points")) == (0, 0), "references are looked after again"


def test_a_job_is_in_a_known_state_after_every_migration(database: Path) -> None:
    """A copied table keeps its check."""
    job = make_job()
    migrate.downgrade("0003")
    migrate.upgrade()
    with pytest.raises(IntegrityError), engine(get_settings().database_url).begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'lost' WHERE id = :id"), {"id": job.id})


@pytest.fixture
def newer(database: Path) -> None:
    """A database of a version that is yet to come."""
    make_job()
    with engine(get_settings().database_url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_a_database_of_a_newer_version_is_refused_and_stays_as_it_is(newer: None) -> None:
    with pytest.raises(CannotServe, match=r"at migration 9999.*restore the backup made before the upgrade"):
        migrate_database()  # what `forger serve`, each of its parts and `forger migrate` begin with
    assert _count("jobs") == 1
    assert migrate.revisions()[0] == "9999"


@pytest.mark.processes
def test_the_doctor_says_that_a_database_is_of_a_newer_version(newer: None) -> None:
    (found,) = [finding for finding in examine(get_settings()) if finding.name == "database"]
    assert not found.good
    assert "at migration 9999" in found.message


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
