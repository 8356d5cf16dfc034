"""POST /translate: a picture comes back as the model has learned to answer it."""

import math
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Header, Request, Response, UploadFile

from app.api.deps import TheInference, TheSandbox, TheSettings, negotiate
from app.api.headers import described
from app.api.middleware.disconnect import while_here
from app.api.openapi.refusals import refused
from app.api.replies import images
from app.api.replies.encode_batch import finished
from app.api.replies.images import imaging
from app.api.requests.forms import FormRoute
from app.schemas.samples import Reference
from app.services.inference import translation
from app.services.inference.service import health_header

router = APIRouter(tags=["inference"], route_class=FormRoute)

MEDIA = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}
"""what is answered by Accept, and the formats"""


@router.post(
    "/translate",
    response_class=Response,
    responses=refused(404, 406, 409, 429, 503)
    | {
        200: {
            "content": {media: {} for media in MEDIA},
            "headers": described("X-Forger-Model", "Forger-Health", "Forger-Note"),
        }
    },
)
async def translate_picture(
    request: Request,
    file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or PPM.")],
    inference: TheInference,
    sandbox: TheSandbox,
    settings: TheSettings,
    model: Annotated[Reference | None, Form()] = None,
    direction: Annotated[Literal["a2b", "b2a"], Form()] = "a2b",
    quality: Annotated[int, Form(ge=1, le=100, description="Of JPEG and WebP.")] = 90,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Turn a picture into the other style, or enlarge it, or fill its hole.

    Which of these depends on what the model learned. `Accept` chooses PNG, JPEG or WebP; `quality` applies to the last
    two.

    The picture is turned upright as its EXIF says and converted to sRGB. Transparent parts are composited over white,
    and the answer has the same alpha. Of several frames the first is used. A model that fills holes paints the
    transparent parts, and its answer is opaque.

    The header Forger-Note says what was ignored, and whether the picture's scale is far from that of the training
    pictures.
    """
    media = negotiate(accept, tuple(MEDIA))  # before a model is looked for
    version = await inference.translator(model, direction)
    await inference.admit()
    recipe, name = version.recipe, version.reference
    image, notes = await images.decode(
        sandbox, file.file, translation.channels_of(recipe), settings, masked=recipe.fills_holes
    )
    translation.require_room(image, recipe, name, settings.max_pixels)
    shown, alpha = await imaging(translation.split_alpha, image, recipe, name)

    def encoded(made: images.Array) -> bytes:
        return _encoded(made, alpha, MEDIA[media], quality)

    def then(made: Future[images.Array]) -> Awaitable[bytes]:
        return finished(made, encoded, math.prod(recipe.canvas(*shown.shape[:2])))

    body = await while_here(request, inference.translate(version, shown, then, direction=direction))
    headers = {"X-Forger-Model": name, **health_header(version), "Cache-Control": "no-store", "Vary": "Accept"}
    if notes := [*notes, *translation.notes(image, recipe)]:
        headers["Forger-Note"] = " ".join(notes)
    return Response(body, media_type=media, headers=headers)


def _encoded(made: images.Array, alpha: images.Array | None, format_: str, quality: int) -> bytes:
    """What was transparent is transparent again; in JPEG, which knows no alpha, it is white."""
    picture = translation.join_alpha(made, alpha)
    match format_:
        case "jpeg":
            return images.jpeg(picture, quality)
        case "webp":
            return images.webp(picture, quality)
        case _:
            return images.png(picture)
