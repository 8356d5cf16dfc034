"""Serve POST /edit: move latents along directions."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from concurrent.futures import Future
from itertools import repeat
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Header, Request, Response

from app.api.deps import InferenceDep, SettingsDep, negotiate, require_json
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies import images, picture_recipes, rendering
from app.api.replies.encode_batch import encode_when_drawn
from app.api.replies.images import Array
from app.api.requests.json_bodies import JsonRoute
from app.api.routes.arithmetic import MEDIA, code_entry
from app.api.routes.latents import checked_codes
from app.core.limits import MAX_LATENT
from app.schemas.directions import EditIn
from app.services.inference.capabilities import PICTURE_DECODING
from app.services.inference.latent_space import codes_of, joined
from app.services.inference.latents import Codes, refused
from app.services.inference.service import Inference, health_header
from app.services.models import directions
from app.services.views import VersionView
from data.images import sheet
from forger.schemas.directions import EditOut

router = APIRouter(tags=["inference"], route_class=JsonRoute)


@router.post(
    "/edit",
    response_model=EditOut,
    dependencies=[Depends(require_json)],
    responses=refusal_responses(404, 406, 409, 429, 503)
    | {200: {"content": {"image/png": {}}, "headers": header_docs("X-Forger-Model", "Forger-Health")}},
)
async def edit_latents(
    request: Request,
    body: EditIn,
    inference: InferenceDep,
    settings: SettingsDep,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Move samples or latents along directions of their model.

    Each move is a sum of directions times amounts. The reply has a row of pictures for each sample and latent,
    one for each move, and their latents.
    """
    format_ = body.format or MEDIA[negotiate(accept, tuple(MEDIA))]
    version = await inference.versions.newest(PICTURE_DECODING, body.model)
    count = (len(body.samples) + len(body.latents)) * len(body.moves)
    if not count:
        raise refused("/samples", "There is nothing to move: write `samples`, `latents` or both.")
    pixels = rendering.require_room(version.recipe.data, count, body.scale, settings, samples_pointer="/moves")
    vectors = await asyncio.to_thread(directions.vectors, version.reference, body.moves)
    text = picture_recipes.of_figure(
        version.reference, samples=body.samples, latents=len(body.latents), moves=[dict(move) for move in body.moves]
    )

    async def edit() -> bytes:
        moved = _moved(await _codes(body, version, inference), body.moves, vectors)

        def encoded(drawn: Array) -> bytes:
            pictures = images.enlarge(drawn, body.scale)
            if format_ == "png":
                return images.png(sheet(pictures, len(body.moves), body.scale), text)
            entries = list(map(code_entry, repeat(version.reference), moved.split(), pictures))
            n = len(body.moves)
            rows = [entries[start : start + n] for start in range(0, len(entries), n)]
            reply = {"model": version.reference, "moves": body.moves, "rows": rows}
            return EditOut.model_validate(reply).model_dump_json().encode()

        def then(drawn: Future[Array]) -> Awaitable[bytes]:
            return encode_when_drawn(drawn, encoded, pixels)

        return await inference.decode(version, moved, then)

    content = await cancel_on_disconnect(request, edit())
    headers = {"X-Forger-Model": version.reference, **health_header(version), "Cache-Control": "no-store"}
    media = next(media for media, name in MEDIA.items() if name == format_)
    return Response(content, media_type=media, headers=headers | {"Vary": "Accept"})


async def _codes(body: EditIn, version: VersionView, inference: Inference) -> Codes:
    """Return the codes to move: those of samples, then the latents. Raises Invalid."""
    samples, sent = checked_codes(body, version, inference)
    return joined([await codes_of(samples, version, inference), sent])


def _moved(codes: Codes, moves: Sequence[Mapping[str, float]], vectors: Mapping[str, Array]) -> Codes:
    """Return each code after each move, the moves of one code beside each other. Raises Invalid beyond MAX_LATENT."""
    size = codes.latents.shape[1]
    sums = [sum((amount * vectors[name] for name, amount in move.items()), np.zeros(size)) for move in moves]
    latents = (codes.latents[:, None].astype(np.float64) + np.stack(sums)[None]).astype(np.float32).reshape(-1, size)
    if np.abs(latents).max() > MAX_LATENT:
        raise refused("/moves", f"The moved latents have numbers beyond {MAX_LATENT} (latent): write smaller amounts.")
    weights = None if codes.weights is None else codes.weights.repeat(len(moves), 0)
    return Codes(latents, weights)
