"""POST /translate: a picture comes back as the model has learned to answer it."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, File, Form, Header, Request, Response, UploadFile
from PIL import Image

from app.api import images
from app.api.deps import TheInference, TheSandbox, TheSettings, negotiate
from app.api.forms import FormRoute
from app.api.images import imaging
from app.api.presence import while_here
from app.api.problems import refused
from app.core.errors import FieldError, Invalid
from app.schemas.samples import Reference
from app.services.inference import health_header, reference
from app.services.views import VersionView
from models.spec.games import Paired
from models.spec.recipe import Recipe

router = APIRouter(tags=["inference"], route_class=FormRoute)

MEDIA = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}
"""what is answered by Accept, and the formats"""
OPAQUE = 128
"""alpha from which on a pixel is no part of a hole"""


@router.post(
    "/translate",
    response_class=Response,
    responses=refused(404, 406, 409, 429, 503) | {200: {"content": {media: {} for media in MEDIA}}},
)
async def translate(
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

    What it does is what the model learned.

    Accept chooses PNG, JPEG or WebP; `quality` is of the last two.

    It is turned upright as its EXIF says, its colours are turned into sRGB's; what is transparent is taken over white,
    and its alpha is put back; of several frames the first is taken. The header Forger-Note says what was passed over.
    For a model that fills holes what is transparent is the hole, and the answer is opaque.
    """
    media = negotiate(accept, tuple(MEDIA))  # before a model is looked for
    version = await inference.translator(model, direction)
    await inference.admit()
    recipe = version.recipe
    image, notes = await images.decode(sandbox, file.file, _channels(recipe), settings, masked=_fills_holes(recipe))
    _within(image, version, settings.max_pixels)
    shown, alpha = await imaging(_parted, image, version)
    made = await while_here(request, inference.translate(version, shown, direction))
    headers = {"X-Forger-Model": reference(version), **health_header(version)}
    headers |= {"Cache-Control": "no-store", "Vary": "Accept"}
    if notes:
        headers["Forger-Note"] = " ".join(notes)
    return Response(await imaging(_encoded, made, alpha, MEDIA[media], quality), media_type=media, headers=headers)


def _fills_holes(recipe: Recipe) -> bool:
    return isinstance(recipe.game, Paired) and recipe.game.task == "masks"


def _channels(recipe: Recipe) -> int:
    channels: int = getattr(recipe.data, "channels", 3)
    return channels


def _within(image: images.Array, version: VersionView, limit: int) -> None:
    """What is made on the way is bounded as what comes in. Raises Invalid."""
    recipe = version.recipe
    height, width = recipe.canvas(*image.shape[:2])
    if height * width > limit:
        makes = (
            f"makes pictures {recipe.enlarges} times larger"
            if recipe.enlarges > 1
            else f"works on sides that are multiples of {recipe.multiple}"
        )
        sentence = (
            f"{reference(version)} {makes}, and {width} x {height} is more than {limit} pixels (max_pixels). "
            "Send a smaller picture."
        )
        raise Invalid(sentence, code="too_many_pixels", errors=(FieldError("/file", sentence),))


def _parted(image: images.Array, version: VersionView) -> tuple[images.Array, images.Array | None]:
    """What the network is shown, and the alpha that goes around it. Raises Invalid."""
    recipe = version.recipe
    colour, alpha = np.split(image, [_channels(recipe)], axis=2)
    if not isinstance(recipe.game, Paired) or recipe.game.task != "masks":
        return colour, alpha if alpha.size else None
    hole = np.where(alpha < OPAQUE, 255, 0).astype(np.uint8)
    if hole.any():
        return np.concatenate([colour, hole], axis=2), None
    if recipe.game.mask == "random":
        sentence = f"{reference(version)} fills holes: make what it shall paint transparent, in a PNG, WebP or TIFF."
        raise Invalid(sentence, code="no_hole", errors=(FieldError("/file", sentence),))
    return colour, None


def _encoded(made: images.Array, alpha: images.Array | None, format_: str, quality: int) -> bytes:
    """What was transparent is transparent again; in JPEG, which knows no alpha, it is white."""
    picture = made if alpha is None else np.concatenate([made, _sized(alpha, made)], axis=2)
    match format_:
        case "jpeg":
            return images.jpeg(picture, quality)
        case "webp":
            return images.webp(picture, quality)
        case _:
            return images.png(picture)


def _sized(alpha: images.Array, made: images.Array) -> images.Array:
    height, width, _ = made.shape
    if alpha.shape[:2] == (height, width):
        return alpha
    return np.asarray(Image.fromarray(alpha[..., 0]).resize((width, height), Image.Resampling.BICUBIC))[..., None]
