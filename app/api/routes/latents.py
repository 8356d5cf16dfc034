"""Serve what works on latent vectors, the inputs of generators: POST /sample."""

from collections.abc import Awaitable, Sequence
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
from app.schemas.latents import CodesIn
from app.schemas.samples import DecodeIn, LatentClasses, LatentRow
from app.services.datasets import catalog
from app.services.inference.capabilities import DECODING
from app.services.inference.latent_space import Sample, parse_sample
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
    codes, label = sent_codes(body, body.latents, version, inference)
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


def checked_codes(
    body: CodesIn, version: VersionView, inference: Inference, inside: str = ""
) -> tuple[list[Sample], Codes]:
    """Return the samples that `body` names, and the codes of its latents. Raises Invalid; pointers begin with `inside`.

    A `class` is also that of samples that name none.
    """
    if body.samples and not version.recipe.generates:
        sentence = f"{version.reference} draws nothing from noise: write `latents` instead."
        raise refused(f"{inside}/samples", sentence, "model_cannot")
    sent, label = sent_codes(body, body.latents, version, inference, inside)
    names = inference.versions.class_names(version)
    samples = [
        parse_sample(name, f"{inside}/samples/{number}", version, names, label)
        for number, name in enumerate(body.samples)
    ]
    return samples, sent


def sent_codes(
    body: LatentClasses, rows: Sequence[LatentRow], version: VersionView, inference: Inference, inside: str = ""
) -> tuple[Codes, int | None]:
    """Return latents with the classes that `body` names, and the number of `class` if it is there. Raises Invalid."""
    recipe, model, n = version.recipe, version.reference, len(rows)
    latents = checked_latents(rows, recipe, model, f"{inside}/latents")
    sent = {"class": body.class_, "classes": body.classes, "class_weights": body.class_weights}
    first, *others = [name for name, value in sent.items() if value is not None] or ["class"]
    pointer = f"{inside}/{first}"
    if others:
        sentence = f"`{first}` and `{others[0]}` both choose classes: leave one of them out."
        raise refused(f"{inside}/{others[0]}", sentence)
    if body.class_weights is not None:
        return Codes(latents, checked_weights(body.class_weights, recipe, model, n, pointer)), None
    if body.classes is not None:
        numbers = [
            optional_class(wanted, version, inference, f"{pointer}/{number}", first)
            for number, wanted in enumerate(body.classes)
        ]
        return Codes(latents, weights_of_classes(numbers, recipe, model, n, pointer)), None
    label = optional_class(body.class_, version, inference, pointer)
    if n and label is None and recipe.classes:
        raise refused(pointer, f"{model} has classes: write `class` for all latents, or `classes` with one for each.")
    return Codes(latents, weights_of_class(label, recipe, n)), label


def optional_class(
    wanted: int | str | None, version: VersionView, inference: Inference, pointer: str = "/class", field: str = "class"
) -> int | None:
    """Return the number of the class if one is wanted. Raises Invalid if the model does not have it."""
    if wanted is None:
        return None
    if not version.recipe.classes:
        raise refused(pointer, f"{version.reference} has no classes: leave `{field}` out.", "no_such_class")
    return catalog.class_number(inference.versions.class_names(version), wanted, pointer, other="")
