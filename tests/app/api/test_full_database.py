"""A full database: requests that write are refused with 507 `no_room`, and nothing of them is stored."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services.jobs import lifecycle
from tests.support.full_databases import FULL_DATABASES

JOB = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 5}}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def post_until_refused(client: TestClient) -> Any:
    """Send jobs until one is refused: pages that exist may have room for a few."""
    for _ in range(200):
        reply = client.post("/jobs", json=JOB)
        if reply.status_code != 201:
            return reply
    return reply


def test_full_database_replies_507_and_stores_nothing(client: TestClient, api_home: Path, backend: str) -> None:
    with FULL_DATABASES[backend]():
        refused = post_until_refused(client)
        before = len(lifecycle.list_jobs(limit=1000)[0])
        again = client.post("/jobs", json=JOB, headers={"Idempotency-Key": "a"})
        assert client.get("/jobs").status_code == 200
    for reply in (refused, again):
        assert (reply.status_code, reply.json()["code"]) == (507, "no_room"), reply.text
        assert "database has no room" in reply.json()["detail"]
    assert len(lifecycle.list_jobs(limit=1000)[0]) == before
    folders = list(get_settings().checkpoints("").glob("*"))
    assert folders == []
    assert client.post("/jobs", json=JOB).status_code == 201
