"""A reader of event streams (server-sent events)."""

from collections.abc import Iterator

import httpx2 as httpx

STREAM_HEADERS = {"accept": "text/event-stream"}


def parse_events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Yield each event as its fields, and each comment as `{"comment": text}`."""
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


def read_stream(client: httpx.Client, job_id: str, **headers: str) -> list[dict[str, str]]:
    """Return all events of the job's stream, which must end."""
    with client.stream("GET", f"/jobs/{job_id}/events", headers=STREAM_HEADERS | headers) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        return list(parse_events(reply.iter_lines()))
