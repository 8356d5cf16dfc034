"""The event log as JSON and as a stream, the stream from a real server."""

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
from tests.support.sent_events import STREAM_HEADERS, parse_events, read_stream
from tests.support.server import serving
from tests.support.wait import until


@pytest.fixture(scope="module")
def server(api_home: Path) -> Iterator[httpx.Client]:
    with (
        serving(create_app(get_settings())) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        yield client


def test_events_as_json_are_paged_by_sequence_number(client: TestClient) -> None:
    job = make_job()
    lifecycle.pause(job.id)
    lifecycle.resume(job.id)
    log = client.get(f"/jobs/{job.id}/events").json()["data"]
    assert [event["seq"] for event in log] == [1, 2, 3]
    assert [event["data"]["state"] for event in log] == ["queued", "paused", "queued"]
    assert client.get(f"/jobs/{job.id}/events?after=1&limit=1").json()["data"] == log[1:2]
    assert client.get(f"/jobs/{job.id}/events", headers={"last-event-id": "2"}).json()["data"] == log[2:]


def test_stream_of_an_ended_job_replays_the_log_and_closes(server: httpx.Client) -> None:
    job = make_job()
    put_in(JobState.FAILED, job.id)
    log: list[dict[str, Any]] = server.get(f"/jobs/{job.id}/events").json()["data"]
    streamed = read_stream(server, job.id)
    assert [(int(event["id"]), event["event"], json.loads(event["data"])) for event in streamed] == [
        (event["seq"], event["type"], event["data"]) for event in log
    ]
    assert json.loads(streamed[-1]["data"])["state"] == "failed"


def test_stream_resumes_after_the_last_event_id(server: httpx.Client) -> None:
    job = make_job()
    put_in(JobState.CANCELLED, job.id)
    whole = read_stream(server, job.id)
    for cut in range(len(whole) - 1):
        assert read_stream(server, job.id, **{"last-event-id": whole[cut]["id"]}) == whole[cut + 1 :]


def test_resuming_after_the_last_event_replies_204(server: httpx.Client) -> None:
    job = make_job()
    lifecycle.cancel(job.id)
    assert server.get(f"/jobs/{job.id}/events", headers=STREAM_HEADERS | {"last-event-id": "2"}).status_code == 204


def test_stream_sends_events_while_the_job_runs(server: httpx.Client) -> None:
    job = make_job()
    with server.stream("GET", f"/jobs/{job.id}/events", headers=STREAM_HEADERS) as reply:
        stream = parse_events(reply.iter_lines())
        assert json.loads(next(stream)["data"]) == {"state": "queued"}
        assert attempts.claim(job.id, "tests") is not None
        assert json.loads(next(stream)["data"])["state"] == "running"
        record_report(job.id, 1, 5, {"loss": 1.0}, None)
        assert next(stream) == {"id": "3", "event": "metrics", "data": '{"step":5,"values":{"loss":1.0}}'}
        lifecycle.cancel(job.id)
        attempts.stop(job.id, 1)
        assert [json.loads(event["data"])["state"] for event in stream] == ["cancelling", "cancelled"]


def test_silent_stream_sends_keepalive_comments(server: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEPALIVE_S", 0.0)
    job = make_job()
    with server.stream("GET", f"/jobs/{job.id}/events", headers=STREAM_HEADERS) as reply:
        stream = parse_events(reply.iter_lines())
        assert next(stream)["event"] == "state"
        assert next(stream) == {"comment": "ping"}


def test_stream_resumed_beyond_the_log_ends_with_the_job(server: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEPALIVE_S", 0.0)
    job = make_job()
    with server.stream("GET", f"/jobs/{job.id}/events", headers=STREAM_HEADERS | {"last-event-id": "999"}) as reply:
        stream = parse_events(reply.iter_lines())
        assert next(stream) == {"comment": "ping"}
        lifecycle.cancel(job.id)
        assert all(event == {"comment": "ping"} for event in stream)


def test_model_can_be_sampled_as_soon_as_the_stream_reports_success(server: httpx.Client, publish: Publish) -> None:
    for seed in range(3):
        model = publish("gan", seed=seed)
        job = lifecycle.list_jobs(limit=1)[0][0]
        last = read_stream(server, job.id)[-1]
        assert json.loads(last["data"])["state"] == "succeeded"
        assert server.get("/sample").headers["x-forger-model"] == model


def test_open_event_streams_are_bounded_and_freed_when_they_end(
    api_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "MAX_EVENT_STREAMS", 2)
    job, ended = make_job(), make_job()
    put_in(JobState.FAILED, ended.id)
    with serving(create_app(get_settings())) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            read_stream(client, ended.id)
        with ExitStack() as stack:
            for _ in range(2):
                reply = stack.enter_context(client.stream("GET", f"/jobs/{job.id}/events", headers=STREAM_HEADERS))
                assert reply.status_code == 200
            refused = client.get(f"/jobs/{job.id}/events", headers=STREAM_HEADERS)
            assert (refused.status_code, refused.json()["code"]) == (429, "busy")
            assert client.get(f"/jobs/{job.id}/events").status_code == 200, "as JSON the log can still be read"
            lifecycle.cancel(job.id)  # ends the streams
            for line in (line for line in reply.iter_lines() if not line):
                assert line == ""
        until(lambda: client.get(f"/jobs/{ended.id}/events", headers=STREAM_HEADERS).status_code == 200)
