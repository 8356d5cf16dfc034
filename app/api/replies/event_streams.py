"""Reply with server-sent events."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.services.jobs.event_stream import EventStream

STREAM_MEDIA_TYPE = "text/event-stream"
STREAM_REPLY: dict[int | str, dict[str, Any]] = {200: {"content": {STREAM_MEDIA_TYPE: {"schema": {"type": "string"}}}}}


def wants_stream(request: Request) -> bool:
    """Return whether Accept names server-sent events."""
    return STREAM_MEDIA_TYPE in request.headers.get("accept", "").lower()


class EventReply(StreamingResponse):
    """A stream of events, one of a bounded number. Raises Busy before anything is sent."""

    def __init__(self, feed: EventStream, content: AsyncIterator[bytes]) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Vary": "Accept"}
        super().__init__(content, media_type=STREAM_MEDIA_TYPE, headers=headers)
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._feed.admit():
            await super().__call__(scope, receive, send)
