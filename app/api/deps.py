"""Define dependencies of routes: the application's services, and checks of a request's headers."""

from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Query, Request
from structlog.contextvars import bind_contextvars

from app.api.requests.json_bodies import MEDIA_TYPE, media_type
from app.core.errors import NotAcceptable, UnsupportedMedia
from app.core.limits import MAX_ID_CHARACTERS, MAX_PAGE_ENTRIES
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from app.services.datasets.examples import Examples
from app.services.datasets.intake import Intake
from app.services.datasets.nearest import NearestPictures
from app.services.inference.service import Inference
from app.services.jobs.event_stream import EventStream
from app.services.models.imports import Imports


# Coroutines although they await nothing: FastAPI runs plain functions on a pool of threads.
async def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def inference_of(request: Request) -> Inference:
    inference: Inference = request.app.state.inference
    return inference


async def feed_of(request: Request) -> EventStream:
    feed: EventStream = request.app.state.feed
    return feed


async def sandbox_of(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


async def intake_of(request: Request) -> Intake:
    intake: Intake = request.app.state.intake
    return intake


async def imports_of(request: Request) -> Imports:
    imports: Imports = request.app.state.imports
    return imports


async def examples_of(request: Request) -> Examples:
    examples: Examples = request.app.state.examples
    return examples


async def nearest_of(request: Request) -> NearestPictures:
    nearest: NearestPictures = request.app.state.nearest
    return nearest


SettingsDep = Annotated[Settings, Depends(settings_of)]
InferenceDep = Annotated[Inference, Depends(inference_of)]
FeedDep = Annotated[EventStream, Depends(feed_of)]
IntakeDep = Annotated[Intake, Depends(intake_of)]
ImportsDep = Annotated[Imports, Depends(imports_of)]
ExamplesDep = Annotated[Examples, Depends(examples_of)]
NearestDep = Annotated[NearestPictures, Depends(nearest_of)]
SandboxDep = Annotated[Sandbox, Depends(sandbox_of)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_ENTRIES, description="Most entries in one reply.")]


async def bind_job_to_log(request: Request) -> None:
    """Add the job's id to all log lines of a request about one job."""
    if job_id := request.path_params.get("job_id"):
        bind_contextvars(job=job_id[:MAX_ID_CHARACTERS])


async def require_json(request: Request) -> None:
    if (sent := media_type(request)) != MEDIA_TYPE:
        raise UnsupportedMedia(f"Send the body as {MEDIA_TYPE}, not as {sent[:80] or 'nothing named'}.")


@lru_cache(256)
def negotiate(accept: str | None, offers: tuple[str, ...]) -> str:
    """Return the offered media type that the Accept header prefers; the first of equals. Raises NotAcceptable."""
    if not accept:
        return offers[0]
    ranges = [_media_range(part) for part in accept.split(",")]
    best = max(offers, key=lambda offer: _preference(offer, ranges))
    if _preference(best, ranges) <= 0:
        raise NotAcceptable(f"This address answers {', '.join(offers)}; name one of them in Accept.")
    return best


def _media_range(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
    try:
        return media, float(quality)
    except ValueError:
        return media, 0.0


def _preference(offer: str, ranges: list[tuple[str, float]]) -> float:
    """Return the quality of an offer: that of the most specific matching range (RFC 9110 section 12.5.1)."""
    kind = offer.partition("/")[0]
    for pattern in (offer, f"{kind}/*", "*/*"):
        for media, quality in ranges:
            if media == pattern:
                return quality
    return 0.0
