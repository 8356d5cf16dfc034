"""Every frequent statement finds its rows by an index, according to the database's own query plan.

The statements are those that the services really send: they are recorded and explained on a filled database. Only a
statement that counts all rows may scan a whole index.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Index, PrimaryKeyConstraint, UniqueConstraint, select
from sqlalchemy.orm import Session

from app.core.settings import get_settings
from app.db.repositories import datasets, files, load
from app.db.repositories import models as model_rows
from app.db.session import engine, unit_of_work
from app.db.tables import Base, Job
from app.services.jobs import attempts, event_stream, lifecycle
from app.services.system import reaper
from bench.filled import Filled, fill
from tests.support.databases import new_database
from tests.support.jobs import record_report
from tests.support.query_plans import costly_steps, record_statements
from tests.support.settings import clear_caches

JOBS, REPORTS, OFTEN = 4_000, 4, 1_000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, backend: str, request: pytest.FixtureRequest) -> Iterator[Filled]:
    home = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch, new_database(request, backend, home) as settings:
        for name in ("DATABASE_URL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        for name, value in {"FORGER_HOME": str(home), **settings}.items():
            patch.setenv(name, value)
        clear_caches()
        yield fill(JOBS, REPORTS, OFTEN)
        engine(get_settings().database_url).dispose()
    clear_caches()


def _in_session(query: Callable[[Session], object]) -> None:
    with unit_of_work(read_only=True) as session:
        query(session)


def _listed(name: str, value: str, after: bool, rows: Filled) -> object:
    filters: dict[str, Any] = {name: value}
    return lifecycle.list_jobs(limit=100, after=rows.jobs[3000] if after else None, **filters)


FREQUENT: dict[str, Callable[[Filled], object]] = {
    "list": lambda _: lifecycle.list_jobs(),
    "list, next page": lambda filled: lifecycle.list_jobs(after=filled.jobs[1000]),
    **{
        f"list by {name}, {page}": partial(_listed, name, value, after)
        for name, value in {
            "state": "failed", "family": "dcgan", "dataset": "digits", "model": "gan-ring8", "kind": "evaluate",
        }.items()
        for page, after in (("first page", False), ("next page", True))
    },
    "list by every filter": lambda _: lifecycle.list_jobs(
        state="failed", family="dcgan", dataset="digits", model="dcgan-digits", kind="train"
    ),
    "queued jobs": lambda _: lifecycle.list_jobs(state="queued", limit=100),
    "queued job": lambda filled: lifecycle.get(filled.queued[-1]),
    "job": lambda filled: lifecycle.get(filled.jobs[17]),
    "short curves": lambda filled: lifecycle.metrics(filled.jobs[17]),
    "long curves": lambda filled: lifecycle.metrics(filled.often[0], max_points=50),
    "events": lambda filled: lifecycle.events(filled.jobs[17], after=2),
    "new events of followed jobs": lambda filled: event_stream.read_new_events(
        {filled.jobs[17]: 3, filled.jobs[18]: None}
    ),
    "artifacts": lambda filled: lifecycle.artifacts(filled.jobs[17], "sample"),
    "checkpoints": lambda filled: lifecycle.checkpoints(filled.jobs[17]),
    "reaper": lambda _: reaper.reap(),
    "ring of the oldest queued job": lambda _: lifecycle.ring_oldest("train"),
    "heartbeat": lambda filled: attempts.renew(filled.running[0], 1, 500, 0.1),
    "step report": lambda filled: record_report(filled.running[0], 1, 600, {"a": 1.0, "b": None}, b"png"),
    "checkpoint recorded": lambda filled: attempts.record_checkpoint(filled.running[0], 1, 600, "x", "0" * 64, 1),
    "rewind": lambda filled: attempts.rewind(filled.running[0], 1, 400),
    "model version": lambda _: _in_session(lambda session: model_rows.find(session, "gan-ring8", 7)),
    "newest job on a dataset": lambda _: _in_session(lambda session: datasets.job_on(session, "digits")),
    "referenced files": lambda _: _in_session(lambda session: files.referenced(session, ["0" * 64])),
    "job deleted": lambda filled: lifecycle.delete(filled.jobs[31]),
}  # fmt: skip


SORT = "USE TEMP B-TREE FOR ORDER BY"
SORTED = {
    "long curves": {SORT, "USE TEMP B-TREE FOR GROUP BY"},  # the points of one curve
    "artifacts": {SORT},  # of one job
    "checkpoint recorded": {SORT},  # of one job
}
"""sorts of SQLite over few rows"""


@pytest.mark.parametrize("name", FREQUENT)
def test_frequent_statement_uses_an_index(filled: Filled, name: str) -> None:
    with record_statements() as sent:
        FREQUENT[name](filled)
    assert sent
    costly_by_statement = {
        statement: set(costly_steps((statement, parameters))) - SORTED.get(name, set())
        for statement, parameters in sent
    }
    assert {statement: steps for statement, steps in costly_by_statement.items() if steps} == {}


def test_count_of_job_states_scans_an_index_and_no_table(filled: Filled) -> None:
    """Prometheus metrics count the states of all jobs."""
    with record_statements() as sent, unit_of_work(read_only=True) as session:
        load.measure(session)
    by_state, *others = [costly_steps(statement) for statement in sent]
    assert by_state in (["SCAN jobs USING COVERING INDEX ix_jobs_state_fence"], ["Index Only Scan jobs"])
    assert {step for steps in others for step in steps} <= {"USE TEMP B-TREE FOR GROUP BY"}, "the running jobs are few"


def test_statement_without_an_index_is_detected(filled: Filled) -> None:
    with record_statements() as sent, unit_of_work(read_only=True) as session:
        session.scalars(select(Job.id).where(Job.owner == "nobody")).all()
        session.scalars(select(Job.id).order_by(Job.finished_at)).all()
    assert all(costly_steps(statement) for statement in sent)


def test_every_foreign_key_has_an_index() -> None:
    """Without one, deleting a row scans every table that may refer to it, which no query plan shows."""
    for table in Base.metadata.sorted_tables:
        unique = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
        keys: list[Index | UniqueConstraint | PrimaryKeyConstraint] = [*unique, *table.indexes, table.primary_key]
        first_columns = {next(iter(key.columns)).name for key in keys}
        assert {key.parent.name for key in table.foreign_keys} <= first_columns, table.name
