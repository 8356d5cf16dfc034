"""SQL statements as the services send them, and the steps of their query plans that grow with the database."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from app.core.settings import get_settings
from app.db.session import engine
from app.db.tables import Base

LARGE_TABLES = Base.metadata.tables.keys() - {"datasets", "identity", "event_counter"}
"""the others hold one row for each uploaded dataset, and one row"""
MAX_SORTED_ROWS = 200
"""a sort of at most so many rows is acceptable"""
Sent = tuple[str, Any]
"""a statement and its parameters"""


@contextmanager
def record_statements() -> Iterator[list[Sent]]:
    """Record the statements that the services send inside the block."""
    sent: list[Sent] = []

    def record(connection: object, cursor: object, statement: str, parameters: Any, *more: object) -> None:
        if re.match(r"\s*(SELECT|WITH|UPDATE|DELETE|INSERT)", statement):
            sent.append((statement, parameters))

    source = engine(get_settings().database_url)
    event.listen(source, "before_cursor_execute", record)
    try:
        yield sent
    finally:
        event.remove(source, "before_cursor_execute", record)


def costly_steps(sent: Sent) -> list[str]:
    """Return the steps of its plan that would grow with the database: scans of whole tables, and long sorts."""
    statement, parameters = sent
    first = parameters[0] if isinstance(parameters, list) else parameters
    with engine(get_settings().database_url).connect() as connection:
        explain = _by_sqlite if connection.dialect.name == "sqlite" else _by_postgresql
        return list(explain(connection, statement, first))


def _by_sqlite(connection: Connection, statement: str, parameters: Any) -> Iterator[str]:
    """Allow a scan of an index that LIMIT ends. SQLite does not say how long a sort is, so every sort counts."""
    limited = "LIMIT" in statement
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
        step = str(row[-1])
        full_scan = step.startswith("SCAN") and step.split()[1] in LARGE_TABLES and not (limited and "INDEX" in step)
        if full_scan or "TEMP B-TREE" in step:
            yield step


def _by_postgresql(connection: Connection, statement: str, parameters: Any) -> Iterator[str]:
    """Explain with sequential scans disabled: a plan that scans a table all the same found no index."""
    connection.exec_driver_sql("SET enable_seqscan = off")
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    for node in _nodes(plan[0]["Plan"]):
        kind = node["Node Type"]
        full_scan = "Index" in kind and "Index Cond" not in node and "LIMIT" not in statement
        if (
            (kind == "Seq Scan" and node["Relation Name"] in LARGE_TABLES)
            or full_scan
            or (kind == "Sort" and node["Plan Rows"] > MAX_SORTED_ROWS)
        ):
            yield f"{kind} {node.get('Relation Name', node.get('Sort Key'))}"


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
