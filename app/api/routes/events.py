"""GET /jobs/{id}/events: the durable log of a job, as JSON or as a stream that resumes exactly."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.deps import TheFeed, TheInference
from app.core.errors import FieldError, Invalid
from app.core.limits import EVENTS
from app.services.inference.service import Inference
from app.services.jobs import lifecycle
from app.services.jobs.event_stream import EventStream, WrittenEvent
from app.services.views import EventView
from forger.schemas.jobs import EventList, EventOut
from forger.wire import TERMINAL

router = APIRouter(prefix="/jobs", tags=["jobs"])

PING_S = 15.0
STREAM = "text/event-stream"


def last_event_id(last_event_id: Annotated[str | None, Header()] = None) -> int | None:
    if last_event_id is None or last_event_id == "":
        return None
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 10):
        sentence = "Last-Event-ID is the id of an event of this job: a whole number."
        raise Invalid(sentence, errors=(FieldError("/Last-Event-ID", sentence),))
    return int(last_event_id)


@router.get(
    "/{job_id}/events",
    response_model=EventList,
    responses={200: {"content": {STREAM: {"schema": {"type": "string"}}}}},
)
async def get_job_events(
    job_id: str,
    request: Request,
    inference: TheInference,
    feed: TheFeed,
    resumed: Annotated[int | None, Depends(last_event_id)],
    after: Annotated[int, Query(ge=0, lt=2**31, description="Only events with a greater seq.")] = 0,
    limit: Annotated[int, Query(ge=1, le=EVENTS, description="Most events of a JSON reply.")] = EVENTS,
) -> Response:
    """Follow a job's events. JSON, or a stream where Accept names text/event-stream."""
    after = after if resumed is None else resumed
    if STREAM not in request.headers.get("accept", "").lower():
        body = await asyncio.to_thread(_listed, job_id, after, limit)
        return Response(body, media_type="application/json", headers={"Vary": "Accept"})
    if (await feed.log_state(job_id)).ended(after):
        return Response(status_code=204)  # tells an EventSource that nothing will come: it stops reconnecting
    return _Stream(feed, _stream(job_id, after, inference, feed))


def _listed(job_id: str, after: int, limit: int) -> bytes:
    found = lifecycle.events(job_id, after=after, limit=limit)
    return EventList(data=[EventOut.model_validate(event) for event in found]).model_dump_json().encode()


class _Stream(StreamingResponse):
    """One of a bounded number. Raises Busy before anything is sent."""

    def __init__(self, feed: EventStream, content: AsyncIterator[bytes]) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Vary": "Accept"}
        super().__init__(content, media_type=STREAM, headers=headers)
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._feed.admit():
            await super().__call__(scope, receive, send)


async def _stream(job_id: str, after: int, inference: Inference, feed: EventStream) -> AsyncIterator[bytes]:
    """Ends after the terminal event that is the last; async, so that a client that leaves ends it at once."""
    spoke = time.monotonic()
    with feed.follow(job_id, after) as follower:
        while True:
            found = await follower.next_events(max(0.0, spoke + PING_S - time.monotonic()))
            # A job that was extended has terminal events before its last.
            last = any(map(_ends, found)) and (await feed.log_state(job_id)).ended(follower.seq)
            if last:
                await feed.read(_publish, job_id, inference)
            if found:
                spoke = time.monotonic()
                yield b"".join(told.text for told in found)
            if last:
                return
            if time.monotonic() - spoke >= PING_S:
                spoke = time.monotonic()
                yield KEEPALIVE_COMMENT
                if not found and (await feed.log_state(job_id)).ended(follower.seq):
                    return


def _ends(told: WrittenEvent) -> bool:
    return told.event.type == "state" and told.event.data["state"] in TERMINAL


def _publish(job_id: str, inference: Inference) -> None:
    """Who learns that a job succeeded can ask for its model at once."""
    result = lifecycle.get(job_id).result
    if result is not None and result.model is not None:
        inference.ensure_version(result.model)


def written(event: EventView) -> bytes:
    """As the streams tell it."""
    data = json.dumps(event.data, separators=(",", ":"))
    return format_sse_event(id=str(event.seq), event=event.type, data_str=data)
