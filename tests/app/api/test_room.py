"""A database that is really full: 507 `no_room`, and afterwards all is as if nothing had been asked."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.db.session import engine, unit_of_work
from app.services.jobs import lifecycle

WISH = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 5}}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@contextmanager
def full_sqlite() -> Iterator[None]:
    """SQLite may not add a page: it answers what it answers on a full disk."""
    made, limit = engine(get_settings().database_url), 1

    def bound(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limit}")

    event.listen(made, "checkout", bound)
    try:
        yield
    finally:
        limit = 1 << 30
        with unit_of_work():
            pass
        made.dispose()
        event.remove(made, "checkout", bound)


@contextmanager
def full_postgresql() -> Iterator[None]:
    """The server refuses each new job as it does where its disk is full."""
    full = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END"
    with unit_of_work() as session:
        session.execute(text(f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $${full}$$"))
        session.execute(text("CREATE TRIGGER full_disk BEFORE INSERT ON jobs EXECUTE FUNCTION full_disk()"))
    try:
        yield
    finally:
        with unit_of_work() as session:
            session.execute(text("DROP FUNCTION full_disk CASCADE"))


FULL: dict[str, Callable[[], AbstractContextManager[None]]] = {"sqlite": full_sqlite, "postgresql": full_postgresql}


def until_refused(client: TestClient) -> Any:
    """Old pages may hold a few jobs yet."""
    for _ in range(200):
        reply = client.post("/jobs", json=WISH)
        if reply.status_code != 201:
            return reply
    return reply


def test_a_full_database_is_507_and_nothing_is_kept(client: TestClient, api_home: Path, backend: str) -> None:
    with FULL[backend]():
        refused = until_refused(client)
        before = len(lifecycle.list_jobs(limit=1000)[0])
        again = client.post("/jobs", json=WISH, headers={"Idempotency-Key": "a"})
        assert client.get("/jobs").status_code == 200
    for reply in (refused, again):
        assert (reply.status_code, reply.json()["code"]) == (507, "no_room"), reply.text
        assert "database has no room" in reply.json()["detail"]
    assert len(lifecycle.list_jobs(limit=1000)[0]) == before
    folders = list(get_settings().checkpoints("").glob("*"))
    assert folders == []
    assert client.post("/jobs", json=WISH).status_code == 201
