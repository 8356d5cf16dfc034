"""Serve POST /inpaint: complete one picture, by a translator that fills holes or by a search for a latent."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, File, Request, Response, UploadFile

from app.api.deps import FeedDep
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.replies import images, picture_recipes, searches
from app.api.replies.event_streams import STREAM_MEDIA_TYPE, EventReply
from app.api.replies.images import Array, on_imaging_thread
from app.api.requests.forms import FormRoute
from app.api.requests.searches import FIELDS, SearchForm, SearchFormDep
from app.api.routes.inversion import classes_to_try
from app.api.routes.translations import (
    MEDIA,
    NOT_STORED,
    RESPONSES,
    Exchange,
    Model,
    Picture,
    exchange_of,
    headers_of,
)
from app.core.errors import FieldError, Invalid, NotAcceptable
from app.services.inference import inversion, translation
from app.services.inference.inversion import Found
from app.services.inference.preparation import prepared_with_hole
from app.services.jobs.event_stream import EventStream
from app.services.views import VersionView
from forger.schemas.inversion import InpaintingOut
from models.spec.data import Images

router = APIRouter(tags=["inference"], route_class=FormRoute)

JSON = "application/json"
SearchedDep = Annotated[Exchange, Depends(exchange_of(*MEDIA, JSON, STREAM_MEDIA_TYPE))]
_OK = RESPONSES[200]
SEARCHED = RESPONSES | {
    200: _OK | {"model": InpaintingOut, "content": _OK["content"] | {STREAM_MEDIA_TYPE: {"schema": {"type": "string"}}}}
}


@router.post("/inpaint", response_class=Response, responses=SEARCHED)
async def inpaint_picture(
    request: Request,
    file: Picture,
    mask: Annotated[UploadFile, File(description="A picture of the same size, white where `file` is to be filled.")],
    exchange: SearchedDep,
    form: SearchFormDep,
    feed: FeedDep,
    model: Model = None,
) -> Response:
    """Fill the part of a picture where the mask is white.

    The service reads both pictures as POST /translate does. The mask is white where its brightness is 128 or more, of
    255. In a PNG of a model that fills holes, all other pixels are as they were sent.

    A model that generates pictures is searched as by POST /invert, for the latent whose picture is the nearest where
    the mask is black. Fields of the search are for such a model only, as are replies in JSON and as a stream.
    """
    version = await exchange.inference.versions.inpainter(model)
    if not version.recipe.fills_holes:
        return await _searched(exchange, file, mask, version, form, feed)
    await _require_no_search(request, exchange, version)
    image, notes = await exchange.read_input(file, version, masked=False)
    white, mask_notes = await _mask(exchange, mask)
    shown, alpha = await on_imaging_thread(translation.cut_mask, image, white, version.recipe)
    return await exchange.reply(version, shown, alpha, [*notes, *mask_notes])


async def _mask(exchange: Exchange, mask: UploadFile) -> tuple[Array, list[str]]:
    """Read the mask [h, w, c], with notes. Raises errors that point at it."""
    with images.pointing_at("/mask"):
        white, notes = await exchange.read(mask, 1)
    return white, [f"The mask: {note}" for note in notes]


async def _require_no_search(request: Request, exchange: Exchange, version: VersionView) -> None:
    """Raise Invalid for a field of a search, and NotAcceptable for a reply that only a search gives."""
    advice = f"{version.reference} fills holes without a search: "
    form = await request.form()
    if field := next((field for field in FIELDS if field in form), None):
        sentence = f"{advice}leave `{field}` out, or name a model that generates pictures from latents."
        raise Invalid(sentence, code="model_cannot", errors=(FieldError(f"/{field}", sentence),))
    if exchange.media not in MEDIA:
        sentence = f"{advice}name {', '.join(MEDIA)} in Accept, or a model that generates pictures from latents."
        raise NotAcceptable(sentence)


async def _searched(
    exchange: Exchange, file: UploadFile, mask: UploadFile, version: VersionView, form: SearchForm, feed: EventStream
) -> Response:
    """Reply with a picture that a search has filled, as the picture alone, as JSON or as a stream."""
    data = version.recipe.data
    assert isinstance(data, Images)
    classes = classes_to_try(version, exchange.inference, form, exchange.settings)
    await exchange.inference.admit()
    image, notes = await exchange.read(file, data.channels, bits=data.bits)
    white, mask_notes = await _mask(exchange, mask)
    picture = await on_imaging_thread(_prepared, image, white, data)
    searching = inversion.search(version, exchange.inference, picture, classes, form.plan)
    headers = headers_of(version, [*notes, *mask_notes])

    def encoded_picture(found: Found) -> bytes:
        return exchange.encoded(_filled(picture, found), None, picture_recipes.of_figure(version.reference))

    def encoded_json(found: Found) -> bytes:
        return _encoded(found, version, form, picture)

    if exchange.media == STREAM_MEDIA_TYPE:
        reply = EventReply(feed, searches.events(exchange.request, searching, form.plan.steps, encoded_json))
        reply.headers.update(headers)
        return reply
    encoded = encoded_json if exchange.media == JSON else encoded_picture
    body = await cancel_on_disconnect(exchange.request, searches.result(searching, encoded))
    return Response(body, media_type=exchange.media, headers=headers | NOT_STORED)


def _prepared(image: Array, white: Array, data: Images) -> Array:
    return prepared_with_hole(image, translation.hole_of(image, white), data)


def _filled(picture: Array, found: Found) -> Array:
    """Return the known pixels of a prepared picture, and the unknown ones of what was found."""
    return np.where(picture[..., -1:] == 0, picture[..., :-1], found.picture)


def _encoded(found: Found, version: VersionView, form: SearchForm, picture: Array) -> bytes:
    filled = images.png(_filled(picture, found), picture_recipes.of_figure(version.reference))
    sample = images.png(found.picture, picture_recipes.of_codes(version.reference, found.code, found.label)(0))
    reply = {
        "model": version.reference,
        "seed": form.plan.seed,
        "class": found.label,
        "latents": found.code.latents.tolist(),
        "classes": [found.label],
        "psnr": inversion.psnr(found.mse),
        "start": found.start,
        "steps": form.plan.steps,
        "target": images.base64_text(images.png(picture[..., :-1])),
        "image": images.base64_text(filled),
        "sample": images.base64_text(sample),
    }
    return InpaintingOut.model_validate(reply).model_dump_json(by_alias=True).encode()
