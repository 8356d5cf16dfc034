"""GET /sample: pictures, points or strings from noise."""

import hashlib
import secrets
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import problems
from app.api.deps import TheInference, TheSettings, negotiate
from app.api.headers import described, header
from app.api.middleware.disconnect import while_here
from app.api.openapi.refusals import refused
from app.api.replies import drawings
from app.api.replies.encode_batch import finished
from app.api.replies.images import Array
from app.core.errors import FieldError, Invalid
from app.core.limits import SEED_LIMIT
from app.core.settings import Settings
from app.schemas.samples import SampleQuery
from app.services.datasets import catalog
from app.services.inference.service import health_header
from app.services.views import VersionView
from forger.schemas.samples import Format, Pictures, PointSamples, Strings
from models.spec.recipe import Recipe
from serving.protocol import Pick

PATH = "/sample"


class Direct:
    """Answer GET /sample before FastAPI's routing: that saves a sixth of its processor time (docs/performance.md).

    The route of `router` describes the same to clients.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        scope["route"] = ROUTE  # for the log and the metrics
        response = await _answer(Request(scope, receive))
        await response(scope, receive, send)


async def _answer(request: Request) -> Response:
    state, scope = request.app.state, request.scope
    accept, known = header(scope, b"accept"), header(scope, b"if-none-match")
    try:
        return await get_sample(request, _asked(request), state.inference, state.settings, accept, known)
    except Exception as error:
        return await problems.answer(request, error)


def _asked(request: Request) -> SampleQuery:
    """Raises RequestValidationError, as FastAPI words it."""
    try:
        # As Starlette reads it, without its dictionary of lists.
        asked = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        return SampleQuery.model_validate(dict(asked))
    except ValidationError as error:
        wrong = [{**each, "loc": ("query", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(wrong) from error


router = APIRouter(tags=["inference"])

MEDIA: dict[str, Format] = {
    "image/png": "png",
    "image/webp": "webp",
    "application/json": "json",
    "application/x-npy": "npy",
    "application/zip": "zip",
    "text/plain": "txt",
}
MEDIA_OF = {format_: media for media, format_ in MEDIA.items()}


@router.get(
    PATH,
    response_class=Response,
    responses=refused(404, 406, 409, 429, 503)
    | {
        200: {
            "model": Pictures | PointSamples | Strings,
            "content": {media: {} for media in MEDIA},
            "headers": described("X-Forger-Model", "X-Forger-Seed", "X-Forger-Class", "Forger-Health"),
        }
    },
)
async def get_sample(
    request: Request,
    asked: Annotated[SampleQuery, Query()],
    inference: TheInference,
    settings: TheSettings,
    accept: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw pictures; or points or strings, where the model learned such. The same seed draws the same, at any load."""
    if asked.format is None:
        negotiate(accept, tuple(MEDIA))  # what no model gives is refused before one is looked for
    version = await inference.sampler(asked.model, asked.class_)
    format_ = _format(asked.format, accept, version.recipe)
    seed = secrets.randbelow(SEED_LIMIT) if asked.seed is None else asked.seed
    label = _label(inference.class_names(version), asked.class_)
    pixels = _pixels(asked, label, version.recipe, settings)
    headers = _headers(version, asked, format_, seed, label)
    if if_none_match and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    picks = picks_of(version.recipe, label, asked.n, seed)
    columns = asked.n if label == "each" else None
    said = {"model": version.reference, "seed": seed, "class": label}

    def encoded(drawn: Array) -> bytes:
        return drawings.drawing(version.recipe.data, drawn, asked.scale, columns, said).encode(format_)

    def then(made: Future[Array]) -> Awaitable[bytes]:
        return finished(made, encoded, pixels)

    drawing = inference.sample(version, picks, then, seed=seed, temperature=asked.temperature)
    body = await while_here(request, drawing)
    return Response(body, media_type=MEDIA_OF[format_], headers=headers)


ROUTE = router.routes[-1]
"""the one above"""


def _format(asked: Format | None, accept: str | None, recipe: Recipe) -> Format:
    """Where none is asked for, the one of those possible that the client likes best."""
    possible = drawings.formats(recipe.data)
    if asked is None:
        return MEDIA[negotiate(accept, tuple(MEDIA_OF[format_] for format_ in possible))]
    if asked not in possible:
        sentence = f"This model's {recipe.data.kind} cannot be had as {asked}; ask for {', '.join(possible)}."
        raise Invalid(sentence, code="no_such_format", errors=(FieldError("/format", sentence),))
    return asked


def _label(names: tuple[str, ...], wanted: str | None) -> int | str | None:
    if wanted is None or wanted == "each":
        return wanted
    return catalog.class_number(names, wanted)


def picks_of(recipe: Recipe, label: int | str | None, n: int, seed: int) -> list[Pick]:
    """Row by row. Where a class is needed and none was asked for, it is a function of the seed and the number."""
    if label == "each":
        return [(row, index) for row in range(recipe.classes) for index in range(n)]
    if isinstance(label, int):
        return [(label, index) for index in range(n)]
    if recipe.class_conditional:
        return [(_any_class(seed, index, recipe.classes), index) for index in range(n)]
    return [(None, index) for index in range(n)]


def _any_class(seed: int, index: int, classes: int) -> int:
    digest = hashlib.blake2b(f"{seed}/class/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % classes


def _pixels(asked: SampleQuery, label: int | str | None, recipe: Recipe, settings: Settings) -> int:
    """Of all that is drawn. Raises Invalid where that is too much."""
    count = asked.n * (recipe.classes if label == "each" else 1)
    if count > settings.max_samples:
        raise _refused("/n", f"{count} pictures are more than {settings.max_samples} (max_samples). Ask for fewer.")
    pixels = drawings.pixels(recipe.data, count, asked.scale)
    if pixels > settings.max_pixels:
        raise _refused(
            "/scale", f"{pixels} pixels are more than {settings.max_pixels} (max_pixels). Ask for fewer or smaller."
        )
    return pixels


def _refused(pointer: str, sentence: str) -> Invalid:
    return Invalid(sentence, code="too_much", errors=(FieldError(pointer, sentence),))


def _headers(
    version: VersionView, asked: SampleQuery, format_: Format, seed: int, label: int | str | None
) -> dict[str, str]:
    parts = (version.reference, version.export_sha256, label, asked.n, seed, asked.temperature, asked.scale, format_)
    pinned = asked.model == version.reference and asked.seed is not None
    headers = {
        "ETag": '"' + hashlib.sha256(repr(parts).encode()).hexdigest()[:32] + '"',
        "Cache-Control": "private, max-age=31536000, immutable" if pinned else "no-cache",
        "Vary": "Accept",
        "X-Forger-Model": version.reference,
        "X-Forger-Seed": str(seed),
        **health_header(version),
    }
    return headers if label is None else headers | {"X-Forger-Class": str(label)}
