"""Serve what works on latent vectors, the inputs of generators: POST /sample."""

from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from app.api.deps import InferenceDep, SettingsDep, require_json
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies import picture_recipes, rendering
from app.api.replies.encode_batch import encode_when_drawn
from app.api.replies.images import Array
from app.api.replies.rendering import DECODED_TYPES, MEDIA, MEDIA_OF, choose_format
from app.api.requests.json_bodies import JsonRoute
from app.schemas.samples import DecodeIn
from app.services.datasets import catalog
from app.services.inference.capabilities import DECODING
from app.services.inference.latents import (
    Codes,
    checked_latents,
    checked_weights,
    refused,
    weights_of_class,
    weights_of_classes,
)
from app.services.inference.service import Inference, health_header
from app.services.views import VersionView
from forger.schemas.samples import DecodedPictures, DecodedPoints, DecodedStrings

router = APIRouter(tags=["inference"], route_class=JsonRoute)


@router.post(
    "/sample",
    response_class=Response,
    dependencies=[Depends(require_json)],
    responses=refusal_responses(404, 406, 409, 429, 503)
    | {
        200: {
            "model": DecodedPictures | DecodedPoints | DecodedStrings,
            "content": {media: {} for media in MEDIA},
            "headers": header_docs("X-Forger-Model", "X-Forger-Class", "Forger-Health"),
        }
    },
)
async def decode_latents(
    request: Request,
    body: DecodeIn,
    inference: InferenceDep,
    settings: SettingsDep,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Generate from latents that are sent. GET /sample gives those of a seed, with `latents`.

    Equal latents and classes give equal pictures. The reply has the forms of GET /sample.
    """
    version = await inference.versions.newest(DECODING, body.model)
    data = version.recipe.data
    format_ = choose_format(body.format, accept, data, "model")
    codes, label = _codes_of(body, version, inference)
    pixels = rendering.require_room(data, len(codes), body.scale, settings, samples_pointer="/latents")
    describe = picture_recipes.of_codes(version.reference, codes, label)
    fields = {"model": version.reference, "class": label}

    def encoded(drawn: Array) -> bytes:
        return rendering.render(data, drawn, body.scale, None, fields, DECODED_TYPES, describe).encode(format_)

    def then(drawn: Future[Array]) -> Awaitable[bytes]:
        return encode_when_drawn(drawn, encoded, pixels)

    content = await cancel_on_disconnect(request, inference.decode(version, codes, then))
    headers = {"X-Forger-Model": version.reference, **health_header(version), "Cache-Control": "no-store"}
    if label is not None:
        headers["X-Forger-Class"] = str(label)
    return Response(content, media_type=MEDIA_OF[format_], headers=headers | {"Vary": "Accept"})


def _codes_of(body: DecodeIn, version: VersionView, inference: Inference) -> tuple[Codes, int | None]:
    """Return the body's latents with their classes, and the number of the class if one is chosen. Raises Invalid."""
    recipe, model = version.recipe, version.reference
    latents, n = checked_latents(body.latents, recipe, model), len(body.latents)
    sent = {"class": body.class_, "classes": body.classes, "class_weights": body.class_weights}
    first, *others = [name for name, value in sent.items() if value is not None] or ["class"]
    if others:
        raise refused(f"/{others[0]}", f"`{first}` and `{others[0]}` both choose classes: leave one of them out.")
    if body.class_weights is not None:
        return Codes(latents, checked_weights(body.class_weights, recipe, model, n)), None
    if body.classes is not None:
        return Codes(latents, weights_of_classes(body.classes, recipe, model, n)), None
    number = chosen_class(body.class_, version, inference)
    return Codes(latents, weights_of_class(number, recipe, n)), number


def chosen_class(wanted: str | None, version: VersionView, inference: Inference) -> int | None:
    """Return the number of the class; None for a model without classes. Raises Invalid if it does not fit the model."""
    if wanted is None and version.recipe.classes:
        raise refused("/class", f"{version.reference} has classes: write one of them as `class`.")
    return optional_class(wanted, version, inference)


def optional_class(
    wanted: str | None, version: VersionView, inference: Inference, pointer: str = "/class"
) -> int | None:
    """Return the number of the class if one is wanted. Raises Invalid if the model does not have it."""
    if wanted is None:
        return None
    if not version.recipe.classes:
        raise refused(pointer, f"{version.reference} has no classes: leave `class` out.", "no_such_class")
    return catalog.class_number(inference.versions.class_names(version), wanted, pointer, other="")
