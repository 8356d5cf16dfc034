"""Serve the durable log of a job and that of all jobs, as JSON or as a stream that resumes exactly."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from app.api.deps import FeedDep, InferenceDep
from app.api.replies.event_streams import STREAM_REPLY, EventReply, wants_stream
from app.core.errors import FieldError, Invalid
from app.core.limits import MAX_REPLY_EVENTS
from app.services import links
from app.services.inference.service import Inference
from app.services.jobs import lifecycle
from app.services.jobs.event_stream import EventStream, Followed, WrittenEvent
from app.services.views import EventView
from forger.schemas.jobs import EventList, EventOut, LogEvent, LogEventList
from forger.wire import TERMINAL

router = APIRouter(tags=["jobs"])

KEEPALIVE_S = 15.0
MAX_POSITION = 2**53
MAX_FILTERS = 100
"""jobs or types that one request may name"""


def last_event_id(last_event_id: Annotated[str | None, Header()] = None) -> int | None:
    if last_event_id is None or last_event_id == "":
        return None
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) < 16):
        sentence = "Last-Event-ID is the id of an event of this stream: a whole number."
        raise Invalid(sentence, errors=(FieldError("/Last-Event-ID", sentence),))
    return int(last_event_id)


@router.get(
    "/jobs/{job_id}/events",
    response_model=EventList,
    responses=STREAM_REPLY,
)
async def get_job_events(
    job_id: str,
    request: Request,
    inference: InferenceDep,
    feed: FeedDep,
    resumed: Annotated[int | None, Depends(last_event_id)],
    after: Annotated[int, Query(ge=0, lt=2**31, description="Only events with a greater seq.")] = 0,
    limit: Annotated[
        int, Query(ge=1, le=MAX_REPLY_EVENTS, description="Most events of a JSON reply.")
    ] = MAX_REPLY_EVENTS,
) -> Response:
    """Follow a job's events. They come as JSON, or as a stream if Accept names text/event-stream."""
    after = after if resumed is None else resumed
    if not wants_stream(request):
        body = await asyncio.to_thread(_listed, job_id, after, limit)
        return Response(body, media_type="application/json", headers={"Vary": "Accept"})
    if (await feed.log_state(job_id)).ended(after):
        # 204 makes an EventSource stop reconnecting: no more events will come.
        return Response(status_code=204)
    return EventReply(feed, _while_shared(request, _stream(job_id, after, inference, feed)))


@router.get("/events", response_model=LogEventList, responses=STREAM_REPLY)
async def get_events(
    request: Request,
    feed: FeedDep,
    resumed: Annotated[int | None, Depends(last_event_id)],
    job: Annotated[list[str] | None, Query(max_length=MAX_FILTERS, description="Only events of these jobs.")] = None,
    type: Annotated[list[str] | None, Query(max_length=MAX_FILTERS, description="Only events of these types.")] = None,
    after: Annotated[
        int | None,
        Query(
            ge=0,
            lt=MAX_POSITION,
            description="Only events with a greater position. A stream begins at the end of "
            "the log by default, a list at its beginning.",
        ),
    ] = None,
    limit: Annotated[
        int, Query(ge=0, le=MAX_REPLY_EVENTS, description="Most events of a JSON reply.")
    ] = MAX_REPLY_EVENTS,
) -> Response:
    """Follow the events of all jobs. They come as JSON, or as a stream if Accept names text/event-stream.

    The stream does not end. The id of its events is their position.
    """
    jobs, types = frozenset(job or ()), frozenset(type or ())
    after = after if resumed is None else resumed
    if not wants_stream(request):
        body = await asyncio.to_thread(_log_page, after or 0, limit, jobs, types)
        return Response(body, media_type="application/json", headers={"Vary": "Accept"})
    if after is None:
        _, newest = await feed.read(lifecycle.all_events, after=0, limit=0)
        after = newest
    return EventReply(feed, _while_shared(request, _log_stream(after, jobs, types, feed)))


def _log_page(after: int, limit: int, jobs: Collection[str], types: Collection[str]) -> bytes:
    events, newest = lifecycle.all_events(after=after, limit=limit, job_ids=jobs, types=types)
    return LogEventList(data=[_log_event(event) for event in events], newest=newest).model_dump_json().encode()


def _log_event(event: EventView) -> LogEvent:
    return LogEvent(
        position=event.position, job=event.job_id, seq=event.seq, type=event.type, data=event.data, at=event.at
    )


async def _log_stream(
    after: int, jobs: Collection[str], types: Collection[str], feed: EventStream
) -> AsyncGenerator[bytes]:
    """Yield the events of these jobs and types, of all if there are none, until the client disconnects."""
    yield KEEPALIVE_COMMENT
    sent_at = time.monotonic()
    with feed.follow(None, after) as follower:
        while True:
            news = await follower.next_events(max(0.0, sent_at + KEEPALIVE_S - time.monotonic()))
            texts = [
                one.text
                for one in news
                if (not jobs or one.event.job_id in jobs) and (not types or one.event.type in types)
            ]
            if texts or time.monotonic() - sent_at >= KEEPALIVE_S:
                sent_at = time.monotonic()
                yield b"".join(texts) or KEEPALIVE_COMMENT


def _listed(job_id: str, after: int, limit: int) -> bytes:
    events = lifecycle.events(job_id, after=after, limit=limit)
    return EventList(data=[EventOut.model_validate(event) for event in events]).model_dump_json().encode()


async def _while_shared(request: Request, content: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """Yield the content; to a link's guest only until the link ends."""
    link_id = getattr(request.state, "link", None)
    async with aclosing(content):
        async for text in content:
            if link_id is not None and await asyncio.to_thread(links.shared_by, link_id) is None:
                return
            yield text


async def _stream(job_id: str, after: int, inference: Inference, feed: EventStream) -> AsyncGenerator[bytes]:
    """Yield the events up to the last terminal one. Async, so that it ends at once when the client disconnects."""
    sent_at = time.monotonic()
    with feed.follow(job_id, after) as follower:
        while True:
            news = await follower.next_events(max(0.0, sent_at + KEEPALIVE_S - time.monotonic()))
            # An extended job has terminal events before its last.
            last = any(map(_ends, news)) and (await feed.log_state(job_id)).ended(follower.seq)
            if last:
                await feed.read(_publish, job_id, inference)
            if news:
                sent_at = time.monotonic()
                yield b"".join(event.text for event in news)
            if last:
                return
            if time.monotonic() - sent_at >= KEEPALIVE_S:
                sent_at = time.monotonic()
                yield KEEPALIVE_COMMENT
                if not news and (await feed.log_state(job_id)).ended(follower.seq):
                    return


def _ends(written: WrittenEvent) -> bool:
    return written.event.type == "state" and written.event.data["state"] in TERMINAL


def _publish(job_id: str, inference: Inference) -> None:
    """Let a client that reads of the job's success use its model at once."""
    result = lifecycle.get(job_id).result
    if result is not None and result.model is not None:
        inference.versions.ensure(result.model)


def encode_event(event: EventView, followed: Followed) -> bytes:
    """Return the event in the format of server-sent events.

    In the log of all jobs it has no name, so that one listener gets events of every type; its data say job and type.
    """
    if followed is None:
        return format_sse_event(id=str(event.position), data_str=_log_event(event).model_dump_json())
    data = json.dumps(event.data, separators=(",", ":"))
    return format_sse_event(id=str(event.seq), event=event.type, data_str=data)
