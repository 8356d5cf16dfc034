"""Serve GET /sample: pictures, points or strings from noise."""

import hashlib
import secrets
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Annotated, TypedDict
from urllib.parse import parse_qsl

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import problems
from app.api.deps import InferenceDep, SettingsDep, negotiate
from app.api.headers import header, header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies import picture_recipes, rendering
from app.api.replies.encode_batch import encode_when_drawn
from app.api.replies.images import Array
from app.api.replies.rendering import MEDIA, MEDIA_OF, choose_format
from app.core.errors import FieldError, Invalid
from app.core.limits import SEED_LIMIT
from app.schemas.samples import SampleQuery
from app.services.datasets import catalog
from app.services.inference.picks import picks_of
from app.services.inference.service import health_header
from app.services.views import VersionView
from forger.schemas.samples import Format, Pictures, PointSamples, Strings
from forger.wire import VERSION

PATH = "/sample"


class _How(TypedDict):
    seed: int
    temperature: float
    truncation: float | None


class SampleFastPath:
    """Pure ASGI middleware: answer GET /sample before FastAPI's routing.

    It saves a sixth of the processor time (docs/performance.md). The route of `router` describes the same operation.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        # The log and the metrics need the route.
        scope["route"] = SAMPLE_ROUTE
        response = await _answer(Request(scope, receive))
        await response(scope, receive, send)


async def _answer(request: Request) -> Response:
    state, scope = request.app.state, request.scope
    accept, if_none_match = header(scope, b"accept"), header(scope, b"if-none-match")
    try:
        return await get_sample(request, _query(request), state.inference, state.settings, accept, if_none_match)
    except Exception as error:
        return await problems.problem_for(request, error)


def _query(request: Request) -> SampleQuery:
    """Return the query's parameters. Raises RequestValidationError as FastAPI does."""
    try:
        # Parsed as Starlette does, without its dictionary of lists.
        pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        return SampleQuery.model_validate(dict(pairs))
    except ValidationError as error:
        wrong = [{**detail, "loc": ("query", *detail["loc"])} for detail in error.errors()]
        raise RequestValidationError(wrong) from error


router = APIRouter(tags=["inference"])


@router.get(
    PATH,
    response_class=Response,
    responses=refusal_responses(404, 406, 409, 429, 503)
    | {
        200: {
            "model": Pictures | PointSamples | Strings,
            "content": {media: {} for media in MEDIA},
            "headers": header_docs("X-Forger-Model", "X-Forger-Seed", "X-Forger-Class", "Forger-Health"),
        }
    },
)
async def get_sample(
    request: Request,
    query: Annotated[SampleQuery, Query()],
    inference: InferenceDep,
    settings: SettingsDep,
    accept: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw pictures; or points or strings, if the model learned those. Equal seeds draw equal samples, at any load."""
    if query.format is None:
        # A format that no model has is refused before a model is looked up.
        negotiate(accept, tuple(MEDIA))
    version = await inference.versions.sampler(query.model, query.class_)
    format_ = choose_format(query.format, accept, version.recipe.data, "model")
    seed = secrets.randbelow(SEED_LIMIT) if query.seed is None else query.seed
    label = _label(inference.versions.class_names(version), query.class_)
    count = query.n * (version.recipe.classes if label == "each" else 1)
    pixels = rendering.require_room(version.recipe.data, count, query.scale, settings)
    if query.latents and format_ != "json":
        sentence = f"A reply in {format_} has no room for latents: request json, or leave `latents` out."
        raise Invalid(sentence, code="no_such_format", errors=(FieldError("/latents", sentence),))
    headers = _headers(version, query, format_, seed, label)
    if if_none_match and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    picks = picks_of(version.recipe, label, query.n, seed)
    columns = query.n if label == "each" else None
    fields: rendering.ReplyFields = {"model": version.reference, "seed": seed, "class": label}
    how = _How(seed=seed, temperature=query.temperature, truncation=query.truncation)
    describe = picture_recipes.of_samples(version.reference, picks, label=label, n=query.n, **how)

    def encoded(drawn: Array) -> bytes:
        drawing = rendering.render(version.recipe.data, drawn, query.scale, columns, fields, describe=describe)
        return drawing.encode(format_)

    def then(drawn: Future[Array]) -> Awaitable[bytes]:
        return encode_when_drawn(drawn, encoded, pixels)

    async def draw() -> bytes:
        if query.latents:
            fields["latents"] = (await inference.latents(version, picks, **how)).tolist()
            fields["classes"] = [class_ for class_, _ in picks]
        return await inference.sample(version, picks, then, **how)

    body = await cancel_on_disconnect(request, draw())
    return Response(body, media_type=MEDIA_OF[format_], headers=headers)


SAMPLE_ROUTE = router.routes[-1]
"""the route above, of `get_sample`"""


def _label(names: tuple[str, ...], wanted: str | None) -> int | str | None:
    if wanted is None or wanted == "each":
        return wanted
    return catalog.class_number(names, wanted)


def _later_parts(query: SampleQuery) -> tuple[object, ...]:
    """Return the parameters of later versions, if one is used: without them, older tags stay valid."""
    return () if query.truncation is None and not query.latents else (query.truncation, query.latents)


def _headers(
    version: VersionView, query: SampleQuery, format_: Format, seed: int, label: int | str | None
) -> dict[str, str]:
    # A PNG carries the version of Forger.
    drawn_by = version.reference, version.export_sha256, f"recipe in the picture, {VERSION}"
    parts = (*drawn_by, label, query.n, seed, query.temperature, query.scale, format_, *_later_parts(query))
    pinned = query.model == version.reference and query.seed is not None
    headers = {
        "ETag": '"' + hashlib.sha256(repr(parts).encode()).hexdigest()[:32] + '"',
        "Cache-Control": "private, max-age=31536000, immutable" if pinned else "no-cache",
        "Vary": "Accept",
        "X-Forger-Model": version.reference,
        "X-Forger-Seed": str(seed),
        **health_header(version),
    }
    return headers if label is None else headers | {"X-Forger-Class": str(label)}
