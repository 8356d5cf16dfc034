"""The event log as JSON and as a stream, the stream over a real server."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from app.api.routes import events
from app.core.settings import get_settings
from app.main import create_app
from app.services.jobs import attempts, event_stream, lifecycle
from forger.wire import JobState
from tests.app.api.conftest import Publish
from tests.support.jobs import make_job, put_in, record_report
from tests.support.server import serving
from tests.support.wait import until

STREAM = {"accept": "text/event-stream"}


@pytest.fixture(scope="module")
def server(api_home: Path) -> Iterator[httpx.Client]:
    with (
        serving(create_app(get_settings())) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        yield client


def parse(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            yield {"comment": line[1:].strip()}
        elif line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield event
            event = {}


def read_all(client: httpx.Client, job_id: str, **headers: str) -> list[dict[str, str]]:
    with client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM | headers) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        return list(parse(reply.iter_lines()))


def test_json_pages_by_seq(client: TestClient) -> None:
    job = make_job()
    lifecycle.pause(job.id)
    lifecycle.resume(job.id)
    every = client.get(f"/jobs/{job.id}/events").json()["data"]
    assert [event["seq"] for event in every] == [1, 2, 3]
    assert [event["data"]["state"] for event in every] == ["queued", "paused", "queued"]
    assert client.get(f"/jobs/{job.id}/events?after=1&limit=1").json()["data"] == every[1:2]
    assert client.get(f"/jobs/{job.id}/events", headers={"last-event-id": "2"}).json()["data"] == every[2:]


def test_an_ended_jobs_stream_is_the_log_and_closes(server: httpx.Client) -> None:
    job = make_job()
    put_in(JobState.FAILED, job.id)
    log: list[dict[str, Any]] = server.get(f"/jobs/{job.id}/events").json()["data"]
    streamed = read_all(server, job.id)
    assert [(int(event["id"]), event["event"], json.loads(event["data"])) for event in streamed] == [
        (event["seq"], event["type"], event["data"]) for event in log
    ]
    assert json.loads(streamed[-1]["data"])["state"] == "failed"


def test_a_stream_resumes_exactly(server: httpx.Client) -> None:
    job = make_job()
    put_in(JobState.CANCELLED, job.id)
    whole = read_all(server, job.id)
    for cut in range(len(whole) - 1):
        assert read_all(server, job.id, **{"last-event-id": whole[cut]["id"]}) == whole[cut + 1 :]


def test_after_the_end_a_browser_is_told_not_to_come_back(server: httpx.Client) -> None:
    job = make_job()
    lifecycle.cancel(job.id)
    assert server.get(f"/jobs/{job.id}/events", headers=STREAM | {"last-event-id": "2"}).status_code == 204


def test_events_arrive_while_the_job_lives(server: httpx.Client) -> None:
    job = make_job()
    with server.stream("GET", f"/jobs/{job.id}/events", headers=STREAM) as reply:
        arriving = parse(reply.iter_lines())
        assert json.loads(next(arriving)["data"]) == {"state": "queued"}
        assert attempts.claim(job.id, "tests") is not None
        assert json.loads(next(arriving)["data"])["state"] == "running"
        record_report(job.id, 1, 5, {"loss": 1.0}, None)
        assert next(arriving) == {"id": "3", "event": "metrics", "data": '{"step":5,"values":{"loss":1.0}}'}
        lifecycle.cancel(job.id)
        attempts.stop(job.id, 1)
        assert [json.loads(event["data"])["state"] for event in arriving] == ["cancelling", "cancelled"]


def test_a_silent_stream_says_that_it_lives(server: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEPALIVE_S", 0.0)
    job = make_job()
    with server.stream("GET", f"/jobs/{job.id}/events", headers=STREAM) as reply:
        arriving = parse(reply.iter_lines())
        assert next(arriving)["event"] == "state"
        assert next(arriving) == {"comment": "ping"}


def test_resuming_beyond_the_log_ends_with_the_job(server: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEPALIVE_S", 0.0)
    job = make_job()
    with server.stream("GET", f"/jobs/{job.id}/events", headers=STREAM | {"last-event-id": "999"}) as reply:
        arriving = parse(reply.iter_lines())
        assert next(arriving) == {"comment": "ping"}
        lifecycle.cancel(job.id)
        assert all(event == {"comment": "ping"} for event in arriving)


def test_who_hears_of_success_can_sample_at_once(server: httpx.Client, publish: Publish) -> None:
    for seed in range(3):
        model = publish("gan", seed=seed)
        job = lifecycle.list_jobs(limit=1)[0][0]
        last = read_all(server, job.id)[-1]
        assert json.loads(last["data"])["state"] == "succeeded"
        assert server.get("/sample").headers["x-forger-model"] == model


def test_so_many_streams_are_open_at_once_and_each_gives_its_place_back(
    api_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "MAX_EVENT_STREAMS", 2)
    job, ended = make_job(), make_job()
    put_in(JobState.FAILED, ended.id)
    with serving(create_app(get_settings())) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            read_all(client, ended.id)
        with ExitStack() as stack:
            for _ in range(2):
                reply = stack.enter_context(client.stream("GET", f"/jobs/{job.id}/events", headers=STREAM))
                assert reply.status_code == 200
            refused = client.get(f"/jobs/{job.id}/events", headers=STREAM)
            assert (refused.status_code, refused.json()["code"]) == (429, "busy")
            assert client.get(f"/jobs/{job.id}/events").status_code == 200, "as JSON it is there"
            lifecycle.cancel(job.id)  # ends the streams
            for line in (line for line in reply.iter_lines() if not line):
                assert line == ""
        until(lambda: client.get(f"/jobs/{ended.id}/events", headers=STREAM).status_code == 200)
