"""Every statement that is run often finds its rows by an index, as the database itself explains it.

The statements are those that the services really send: they are caught on their way, and explained on a filled
database. A statement may look through the whole of an index only where it counts all there is.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Index, PrimaryKeyConstraint, UniqueConstraint, event, select
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
from tests.support.settings import clear_caches

JOBS, REPORTS, OFTEN = 4_000, 4, 1_000
FEW = 200
"""rows that may be sorted"""
LARGE = Base.metadata.tables.keys() - {"datasets", "identity"}
"""the others hold a row for each dataset that somebody uploaded, and one"""
Sent = tuple[str, Any]
"""A statement and its parameters."""


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


@contextmanager
def caught() -> Iterator[list[Sent]]:
    sent: list[Sent] = []

    def catch(connection: object, cursor: object, statement: str, parameters: Any, *more: object) -> None:
        if re.match(r"\s*(SELECT|WITH|UPDATE|DELETE|INSERT)", statement):
            sent.append((statement, parameters))

    source = engine(get_settings().database_url)
    event.listen(source, "before_cursor_execute", catch)
    try:
        yield sent
    finally:
        event.remove(source, "before_cursor_execute", catch)


def explained(sent: Sent) -> list[str]:
    """What of its plan would grow with the database: tables looked through whole, and long sorts."""
    statement, parameters = sent
    one = parameters[0] if isinstance(parameters, list) else parameters
    with engine(get_settings().database_url).connect() as connection:
        explain = _by_sqlite if connection.dialect.name == "sqlite" else _by_postgresql
        return list(explain(connection, statement, one))


def _by_sqlite(connection: Connection, statement: str, parameters: Any) -> Iterator[str]:
    """A walk along an index that ends after a page is as good as a search. It does not say how long a sort is."""
    limited = "LIMIT" in statement
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
        step = str(row[-1])
        whole = step.startswith("SCAN") and step.split()[1] in LARGE and not (limited and "INDEX" in step)
        if whole or "TEMP B-TREE" in step:
            yield step


def _by_postgresql(connection: Connection, statement: str, parameters: Any) -> Iterator[str]:
    """Whoever may not look through a table and does so all the same has no index to go by."""
    connection.exec_driver_sql("SET enable_seqscan = off")
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    for node in _nodes(plan[0]["Plan"]):
        kind = node["Node Type"]
        whole = "Index" in kind and "Index Cond" not in node and "LIMIT" not in statement
        if (
            (kind == "Seq Scan" and node["Relation Name"] in LARGE)
            or whole
            or (kind == "Sort" and node["Plan Rows"] > FEW)
        ):
            yield f"{kind} {node.get('Relation Name', node.get('Sort Key'))}"


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _in_session(ask: Callable[[Session], object]) -> None:
    with unit_of_work(read_only=True) as session:
        ask(session)


def _listed(name: str, value: str, after: bool, has: Filled) -> object:
    filters: dict[str, Any] = {name: value}
    return lifecycle.list_jobs(limit=100, after=has.jobs[3000] if after else None, **filters)


HOT: dict[str, Callable[[Filled], object]] = {
    "the list": lambda _: lifecycle.list_jobs(),
    "its next page": lambda has: lifecycle.list_jobs(after=has.jobs[1000]),
    **{
        f"the list by {name}, {place}": partial(_listed, name, value, after)
        for name, value in {
            "state": "failed", "family": "dcgan", "dataset": "digits", "model": "gan-ring8", "kind": "evaluate",
        }.items()
        for place, after in (("first page", False), ("next page", True))
    },
    "the list by all": lambda _: lifecycle.list_jobs(
        state="failed", family="dcgan", dataset="digits", model="dcgan-digits", kind="train"
    ),
    "who waits": lambda _: lifecycle.list_jobs(state="queued", limit=100),
    "a job that waits": lambda has: lifecycle.get(has.queued[-1]),
    "a job": lambda has: lifecycle.get(has.jobs[17]),
    "short curves": lambda has: lifecycle.metrics(has.jobs[17]),
    "long curves": lambda has: lifecycle.metrics(has.often[0], max_points=50),
    "events": lambda has: lifecycle.events(has.jobs[17], after=2),
    "what followers are told": lambda has: event_stream.read_new_events({has.jobs[17]: 3, has.jobs[18]: None}),
    "artifacts": lambda has: lifecycle.artifacts(has.jobs[17], "sample"),
    "checkpoints": lambda has: lifecycle.checkpoints(has.jobs[17]),
    "the reaper": lambda _: reaper.reap(),
    "the next to start": lambda _: lifecycle.ring_oldest("train"),
    "a heartbeat": lambda has: attempts.renew(has.running[0], 1, 500, 0.1),
    "a report": lambda has: record_report(has.running[0], 1, 600, {"a": 1.0, "b": None}, b"png"),
    "a checkpoint": lambda has: attempts.record_checkpoint(has.running[0], 1, 600, "x", "0" * 64, 1),
    "a rewind": lambda has: attempts.rewind(has.running[0], 1, 400),
    "a model": lambda _: _in_session(lambda session: model_rows.find(session, "gan-ring8", 7)),
    "a dataset's newest job": lambda _: _in_session(lambda session: datasets.job_on(session, "digits")),
    "files that a row names": lambda _: _in_session(lambda session: files.referenced(session, ["0" * 64])),
    "a job is deleted": lambda has: lifecycle.delete(has.jobs[31]),
}  # fmt: skip


SORT = "USE TEMP B-TREE FOR ORDER BY"
SORTED = {
    "long curves": {SORT, "USE TEMP B-TREE FOR GROUP BY"},  # the points of one curve
    "artifacts": {SORT},  # of one job
    "a checkpoint": {SORT},  # of one job
}
"""what SQLite sorts and need not be feared"""


@pytest.mark.parametrize("name", HOT)
def test_what_is_asked_often_is_found_by_an_index(filled: Filled, name: str) -> None:
    with caught() as sent:
        HOT[name](filled)
    assert sent
    feared = {
        statement: set(explained((statement, parameters))) - SORTED.get(name, set()) for statement, parameters in sent
    }
    assert {statement: found for statement, found in feared.items() if found} == {}


def test_what_counts_all_there_is_reads_an_index_and_no_table(filled: Filled) -> None:
    """For Prometheus: the states of all jobs."""
    with caught() as sent, unit_of_work(read_only=True) as session:
        load.measure(session)
    by_state, *others = [explained(one) for one in sent]
    assert by_state in (["SCAN jobs USING COVERING INDEX ix_jobs_state_fence"], ["Index Only Scan jobs"])
    assert {step for found in others for step in found} <= {"USE TEMP B-TREE FOR GROUP BY"}, "of the few that run"


def test_a_statement_that_has_no_index_to_go_by_is_seen(filled: Filled) -> None:
    """This test would see it."""
    with caught() as sent, unit_of_work(read_only=True) as session:
        session.scalars(select(Job.id).where(Job.owner == "nobody")).all()
        session.scalars(select(Job.id).order_by(Job.finished_at)).all()
    assert all(explained(one) for one in sent)


def test_every_reference_has_an_index() -> None:
    """Else whoever deletes a row looks through every table that may refer to it. No plan tells of that."""
    for table in Base.metadata.sorted_tables:
        unique = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
        keys: list[Index | UniqueConstraint | PrimaryKeyConstraint] = [*unique, *table.indexes, table.primary_key]
        led = {next(iter(key.columns)).name for key in keys}
        assert {key.parent.name for key in table.foreign_keys} <= led, table.name
