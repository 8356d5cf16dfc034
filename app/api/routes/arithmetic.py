"""Serve POST /latent/arithmetic: weighted sums of latents."""

from collections.abc import Awaitable, Sequence
from concurrent.futures import Future
from itertools import repeat
from typing import Annotated, Any

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
from app.api.routes.latents import checked_codes, optional_class
from app.schemas.arithmetic import ArithmeticIn
from app.services.inference.capabilities import PICTURE_DECODING
from app.services.inference.latent_space import (
    Sample,
    codes_of,
    joined,
    mean,
    normalised,
    weighted_sum,
)
from app.services.inference.latents import Codes, refused
from app.services.inference.service import Inference, health_header
from app.services.views import VersionView
from data.images import sheet
from data.levels import full_level
from forger.schemas.arithmetic import ArithmeticOut

router = APIRouter(tags=["inference"], route_class=JsonRoute)

MEDIA = {"application/json": "json", "image/png": "png"}


@router.post(
    "/latent/arithmetic",
    response_model=ArithmeticOut,
    dependencies=[Depends(require_json)],
    responses=refusal_responses(404, 406, 409, 429, 503)
    | {200: {"content": {"image/png": {}}, "headers": header_docs("X-Forger-Model", "Forger-Health")}},
)
async def add_latents(
    request: Request,
    body: ArithmeticIn,
    inference: InferenceDep,
    settings: SettingsDep,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Add latents: smiling woman - woman + man. Each term is the mean of some latents, times a weight.

    The reply has the pictures of every term and of the result, and their latents, which POST /sample takes.
    """
    format_ = body.format or MEDIA[negotiate(accept, tuple(MEDIA))]
    version = await inference.versions.newest(PICTURE_DECODING, body.model)
    if body.normalise and not version.recipe.generates:
        raise refused("/normalise", f"{version.reference} has no prior: leave `normalise` out.")
    terms = _checked(body, version, inference)
    names = [samples for samples, _ in terms]
    count = sum(len(term.samples) + len(term.latents) for term in body.terms) + len(body.terms) + 1
    pixels = rendering.require_room(version.recipe.data, count, body.scale, settings, samples_pointer="/terms")
    label = optional_class(body.class_, version, inference)

    async def add() -> bytes:
        heat, threshold = body.temperature, body.truncation
        averaged = [
            joined([await codes_of(samples, version, inference, temperature=heat, truncation=threshold), sent])
            for samples, sent in terms
        ]
        means = joined([mean(codes) for codes in averaged])
        result = weighted_sum(means, [term.weight for term in body.terms], label)
        if body.normalise:
            result = normalised(result, version.recipe.latent)
        everything = joined([*averaged, means, result])
        sums = [
            {"weight": term.weight, "samples": [str(one) for one in samples], "latents": len(term.latents)}
            for term, samples in zip(body.terms, names, strict=True)
        ]
        text = picture_recipes.of_figure(version.reference, terms=sums, normalise=body.normalise)

        def encoded(drawn: Array) -> bytes:
            pictures = images.enlarge(drawn, body.scale)
            if format_ == "png":
                return images.png(_figure(pictures, [len(codes) for codes in averaged], body.scale), text)
            return _reply(body, version, names, averaged, everything, pictures)

        def then(drawn: Future[Array]) -> Awaitable[bytes]:
            return encode_when_drawn(drawn, encoded, pixels)

        return await inference.decode(version, everything, then)

    content = await cancel_on_disconnect(request, add())
    headers = {"X-Forger-Model": version.reference, **health_header(version), "Cache-Control": "no-store"}
    media = next(media for media, name in MEDIA.items() if name == format_)
    return Response(content, media_type=media, headers=headers | {"Vary": "Accept"})


def _checked(body: ArithmeticIn, version: VersionView, inference: Inference) -> list[tuple[list[Sample], Codes]]:
    """Return each term's samples, and the codes of its latents. Raises Invalid if one is empty or does not fit."""
    for number, term in enumerate(body.terms):
        if not term.samples and not term.latents:
            raise refused(f"/terms/{number}", "This term is empty: write `samples`, `latents` or both.")
    return [checked_codes(term, version, inference, f"/terms/{number}") for number, term in enumerate(body.terms)]


def _figure(pictures: Array, counts: Sequence[int], gap: int) -> Array:
    """Arrange the pictures as in DCGAN's figure 7: a column for each term, its mean below; the result last.

    If no term averages several, there is one row.
    """
    rows, columns = (max(counts) if max(counts) > 1 else 0) + 1, len(counts) + 1
    cells = np.full((rows, columns, *pictures.shape[1:]), (full_level(pictures) + 1) // 2, pictures.dtype)
    means, start = pictures[sum(counts) :], 0
    cells[-1] = means
    for column, count in enumerate(counts):
        if rows > 1:
            cells[:count, column] = pictures[start : start + count]
        start += count
    return sheet(cells.reshape(-1, *pictures.shape[1:]), columns, gap)


def _reply(
    body: ArithmeticIn,
    version: VersionView,
    names: Sequence[Sequence[Sample]],
    averaged: Sequence[Codes],
    everything: Codes,
    pictures: Array,
) -> bytes:
    entries = map(code_entry, repeat(version.reference), everything.split(), pictures)
    shown = [[next(entries) for _ in range(len(codes))] for codes in averaged]
    terms = [
        {"weight": term.weight, "samples": [str(one) for one in samples], "averaged": codes, "mean": next(entries)}
        for term, samples, codes in zip(body.terms, names, shown, strict=True)
    ]
    reply = {"model": version.reference, "normalised": body.normalise, "terms": terms, "result": next(entries)}
    return ArithmeticOut.model_validate(reply).model_dump_json(by_alias=True).encode()


def code_entry(model: str, code: Codes, picture: Array) -> dict[str, Any]:
    png = images.png(picture, picture_recipes.of_codes(model, code, None)(0))
    return {
        "latent": code.latents[0].tolist(),
        "class_weights": None if code.weights is None else code.weights[0].tolist(),
        "image": images.base64_text(png),
    }
