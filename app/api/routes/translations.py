"""Serve POST /translate: translate one picture."""

import math
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Header, Request, Response, UploadFile

from app.api.deps import InferenceDep, SandboxDep, SettingsDep, negotiate
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies import images, picture_recipes
from app.api.replies.encode_batch import encode_when_drawn
from app.api.replies.images import on_imaging_thread
from app.api.requests.forms import FormRoute
from app.schemas.samples import Reference
from app.services.inference import translation
from app.services.inference.service import health_header

router = APIRouter(tags=["inference"], route_class=FormRoute)

MEDIA = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}
"""formats by the media type in Accept"""


@router.post(
    "/translate",
    response_class=Response,
    responses=refusal_responses(404, 406, 409, 429, 503)
    | {
        200: {
            "content": {media: {} for media in MEDIA},
            "headers": header_docs("X-Forger-Model", "Forger-Health", "Forger-Note"),
        }
    },
)
async def translate_picture(
    request: Request,
    file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or PPM.")],
    inference: InferenceDep,
    sandbox: SandboxDep,
    settings: SettingsDep,
    model: Annotated[Reference | None, Form()] = None,
    direction: Annotated[Literal["a2b", "b2a"], Form()] = "a2b",
    quality: Annotated[int, Form(ge=1, le=100, description="Quality of JPEG and WebP.")] = 90,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Translate a picture into the other style, or enlarge it, or fill its holes.

    `Accept` chooses PNG, JPEG or WebP; `quality` applies to the last two.

    The service rotates the picture by its EXIF and converts it to sRGB. It uses the first of several frames. It
    composites transparent parts over white, and the reply has the same alpha. A model that fills holes paints the
    transparent parts, and its reply is opaque.

    The header Forger-Note names ignored parts, and says if the picture's scale is far from that of the training
    pictures.
    """
    # Before a model is looked up.
    media = negotiate(accept, tuple(MEDIA))
    version = await inference.translator(model, direction)
    await inference.admit()
    recipe, name = version.recipe, version.reference
    image, notes = await images.decode_upload(
        sandbox,
        file.file,
        translation.channels_of(recipe),
        settings,
        masked=recipe.fills_holes,
        bits=recipe.bits,
    )
    translation.require_room(image, recipe, name, settings.max_pixels)
    shown, alpha = await on_imaging_thread(translation.split_alpha, image, recipe, name)

    def encoded(drawn: images.Array) -> bytes:
        return _encoded(drawn, alpha, MEDIA[media], quality, picture_recipes.of_translation(name, direction))

    def then(drawn: Future[images.Array]) -> Awaitable[bytes]:
        return encode_when_drawn(drawn, encoded, math.prod(recipe.canvas(*shown.shape[:2])))

    body = await cancel_on_disconnect(request, inference.translate(version, shown, then, direction=direction))
    headers = {"X-Forger-Model": name, **health_header(version), "Cache-Control": "no-store", "Vary": "Accept"}
    if notes := [*notes, *translation.notes(image, recipe)]:
        headers["Forger-Note"] = " ".join(notes)
    return Response(body, media_type=media, headers=headers)


def _encoded(drawn: images.Array, alpha: images.Array | None, format_: str, quality: int, recipe: str) -> bytes:
    """Encode the picture with its alpha restored; JPEG, which has none, gets white instead. A PNG has the recipe."""
    picture = translation.join_alpha(drawn, alpha)
    match format_:
        case "jpeg":
            return images.jpeg(picture, quality)
        case "webp":
            return images.webp(picture, quality)
        case _:
            return images.png(picture, recipe)
