"""Serve GET /interpolate: pictures on the way from sample to sample."""

import hashlib
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from app.api.deps import InferenceDep, SettingsDep, negotiate
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies import frames, picture_recipes, rendering
from app.api.replies.encode_batch import encode_when_drawn
from app.api.replies.frames import ANIMATIONS, MEDIA, MEDIA_OF
from app.api.replies.images import Array
from app.api.routes.latents import optional_class
from app.schemas.interpolations import InterpolateQuery
from app.services.inference.latent_space import codes_of, parse_sample, walk
from app.services.inference.service import health_header
from forger.schemas.interpolations import InterpolationOut

router = APIRouter(tags=["inference"])
TYPES = (InterpolationOut, InterpolationOut, InterpolationOut)


@router.get(
    "/interpolate",
    response_class=Response,
    responses=refusal_responses(404, 406, 409, 429, 503)
    | {
        200: {
            "model": InterpolationOut,
            "content": {media: {} for media in MEDIA},
            "headers": header_docs("X-Forger-Model", "Forger-Health"),
        }
    },
)
async def interpolate(
    request: Request,
    query: Annotated[InterpolateQuery, Query()],
    inference: InferenceDep,
    settings: SettingsDep,
    accept: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw pictures on the way from one sample to another. A smooth way shows that a model has not memorised.

    The first frame is the sample `from`, and the last one `to`; they equal those of GET /sample. Latents turn on a
    great circle (slerp) or move on a straight line; classes are mixed linearly.
    """
    if query.format is None:
        negotiate(accept, tuple(MEDIA))
    version = await inference.versions.sampler(
        query.model, query.class_ or (None if query.model else query.first_class)
    )
    data = version.recipe.data
    format_ = frames.choose_format(query.format, accept, data)
    names, default = inference.versions.class_names(version), optional_class(query.class_, version, inference)
    samples = [parse_sample(name, pointer, version, names, default) for pointer, name in query.waypoints]
    pixels = rendering.require_room(data, query.frames, query.scale, settings, samples_pointer="/frames")
    if format_ in ANIMATIONS:
        frames.require_animation_room(data, query.frames, query.scale)
    labels = {one.label for one in samples}
    label = labels.pop() if len(labels) == 1 else None
    way = {"waypoints": [str(one) for one in samples], "mode": query.mode, "loop": query.loop}
    how = {"temperature": query.temperature, "truncation": query.truncation}
    text = picture_recipes.of_figure(version.reference, **way, frames=query.frames, **how)

    async def draw() -> bytes:
        codes = walk(
            await codes_of(samples, version, inference, temperature=query.temperature, truncation=query.truncation),
            query.frames,
            query.mode,
            loop=query.loop,
        )
        describe = picture_recipes.of_codes(version.reference, codes, label)
        fields = {"model": version.reference, **way, "class": label, **codes.lists()}
        fields |= {"images": None, "points": None, "strings": None}

        def encoded(drawn: Array) -> bytes:
            drawing = rendering.render(data, drawn, query.scale, query.frames, fields, TYPES, describe)
            return frames.encode(drawing, format_, round(1000 / query.fps), text)

        def then(drawn: Future[Array]) -> Awaitable[bytes]:
            return encode_when_drawn(drawn, encoded, pixels)

        return await inference.decode(version, codes, then)

    body = await cancel_on_disconnect(request, draw())
    headers = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Cache-Control": "private, max-age=31536000, immutable" if query.model == version.reference else "no-cache",
        "Vary": "Accept",
        "X-Forger-Model": version.reference,
        **health_header(version),
    }
    if if_none_match and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=MEDIA_OF[format_], headers=headers)
