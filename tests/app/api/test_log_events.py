"""GET /events: the events of all jobs, as JSON and as a stream that resumes exactly."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from app.core.settings import get_settings
from app.main import create_app
from app.services.jobs import attempts, lifecycle
from forger.wire import JobState
from tests.support.jobs import make_job
from tests.support.server import serving

STREAM = {"accept": "text/event-stream"}


@pytest.fixture(scope="module")
def server(api_home: Path) -> Iterator[httpx.Client]:
    with (
        serving(create_app(get_settings())) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield client


@contextmanager
def follow(client: httpx.Client, **headers: str) -> Iterator[Iterator[tuple[int, dict[str, Any]]]]:
    """Yield (id, data) of the events of a stream."""
    query = headers.pop("query", "")

    def read(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        fields: dict[str, str] = {}
        for line in lines:
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield int(fields["id"]), json.loads(fields["data"])
                fields = {}

    with client.stream("GET", f"/events?{query}", headers=STREAM | headers) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        yield read(reply.iter_lines())


def test_list_numbers_the_events_of_all_jobs(server: httpx.Client) -> None:
    before = server.get("/events", params={"limit": 0}).json()["newest"]
    one, other = make_job(), make_job()
    lifecycle.cancel(one.id)
    reply = server.get("/events", params={"after": before}).json()
    events = [(event["position"] - before, event["job"], event["seq"], event["data"]) for event in reply["data"]]
    assert events == [
        (1, one.id, 1, {"state": "queued"}),
        (2, other.id, 1, {"state": "queued"}),
        (3, one.id, 2, {"state": "cancelled"}),
    ]
    assert reply["newest"] == before + 3
    of_one = server.get("/events", params={"after": before, "job": one.id}).json()["data"]
    assert [event["seq"] for event in of_one] == [1, 2]
    assert server.get("/events", params={"after": before, "type": ["health", "best"]}).json()["data"] == []


def test_stream_resumes_after_its_last_event_without_a_gap_or_a_double(server: httpx.Client) -> None:
    start = server.get("/events", params={"limit": 0}).json()["newest"]
    jobs = [make_job() for _ in range(20)]
    with follow(server, query=f"after={start}") as events:
        first = [next(events) for _ in range(7)]
    for job in jobs:
        lifecycle.cancel(job.id)
    with follow(server, **{"last-event-id": str(first[-1][0])}) as events:
        rest = [next(events) for _ in range(33)]
    received = [(data["job"], data["seq"]) for _, data in first + rest]
    assert received == [(job.id, seq) for seq in (1, 2) for job in jobs]
    assert [number for number, _ in first + rest] == list(range(start + 1, start + 41))


def test_stream_begins_at_the_end_of_the_log_and_brings_what_happens_then(server: httpx.Client) -> None:
    make_job()
    with follow(server) as events:
        job = make_job()
        assert next(events)[1]["job"] == job.id


def test_stream_holds_only_the_jobs_and_types_that_were_named(server: httpx.Client) -> None:
    quiet, followed = make_job(), make_job()
    with follow(server, query=f"job={followed.id}&type=health&type=state") as events:
        lifecycle.cancel(quiet.id)
        claim = attempts.claim(followed.id, "worker")
        assert claim is not None
        attempts.record_event(followed.id, claim.fence, "note", {})
        attempts.record_event(followed.id, claim.fence, "health", {"state": "healthy"})
        types = [next(events)[1]["type"] for _ in range(2)]
    assert types == ["state", "health"]


def test_position_follows_the_order_of_commits(server: httpx.Client) -> None:
    """Many writers at once: whoever reads up to a position never meets a smaller one later."""
    start = server.get("/events", params={"limit": 0}).json()["newest"]
    with ThreadPoolExecutor(8) as pool, follow(server, query=f"after={start}") as events:
        jobs = [pool.submit(make_job) for _ in range(40)]
        numbers = [next(events)[0] for _ in range(40)]
        assert {job.result().state for job in jobs} == {JobState.QUEUED}
    assert numbers == list(range(start + 1, start + 41))


@pytest.mark.parametrize("query", ["after=-1", "limit=1000000", "job=" + "&job=".join("ab" * 60), "unknown=1"])
def test_bad_parameter_is_refused(server: httpx.Client, query: str) -> None:
    assert server.get(f"/events?{query}").status_code == 422
