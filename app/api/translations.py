"""POST /translate: a picture comes back as the model has learned to answer it."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from PIL import Image

from app.api import images
from app.api.deps import TheInference, TheSandbox, TheSettings, multipart_body
from app.api.images import imaging
from app.api.presence import while_here
from app.api.problems import refused
from app.api.uploads import require_once
from app.core.errors import FieldError, Invalid
from app.schemas.samples import Reference
from app.services.inference import reference
from app.services.views import VersionView
from models.spec.games import Paired
from models.spec.recipe import Recipe

router = APIRouter(tags=["inference"])

OPAQUE = 128
"""alpha from which on a pixel is no part of a hole"""


@router.post(
    "/translate",
    response_class=Response,
    responses=refused(404, 409, 429, 503) | {200: {"content": {"image/png": {}}}},
    dependencies=[Depends(multipart_body)],
    form_limits={"max_files": 1, "max_fields": 8, "max_part_size": 1024},
)
async def translate(
    request: Request,
    file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF or PPM.")],
    inference: TheInference,
    sandbox: TheSandbox,
    settings: TheSettings,
    model: Annotated[Reference | None, Form()] = None,
    direction: Annotated[Literal["a2b", "b2a"], Form()] = "a2b",
) -> Response:
    """Turn a picture into the other style, or enlarge it, or fill its hole.

    What it does is what the model learned.

    It is turned upright as its EXIF says, its colours are turned into sRGB's; what is transparent is taken over white,
    and its alpha is put back; of several frames the first is taken. The header Forger-Note says what was passed over.
    For a model that fills holes what is transparent is the hole, and the answer is opaque.
    """
    require_once(await request.form())
    version = await inference.translator(model, direction)
    await inference.admit()
    image, notes = await images.decode(sandbox, file.file, _channels(version.recipe), settings)
    _within(image, version, settings.max_pixels)
    shown, alpha = await imaging(_parted, image, version)
    made = await while_here(request, inference.translate(version, shown, direction))
    headers = {"X-Forger-Model": reference(version), "Cache-Control": "no-store"}
    if notes:
        headers["Forger-Note"] = " ".join(notes)
    return Response(await imaging(_png, made, alpha), media_type="image/png", headers=headers)


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
    channels, game = _channels(version.recipe), version.recipe.game
    colour, alpha = np.split(image, [channels], axis=2)
    if not isinstance(game, Paired) or game.task != "masks":
        return colour, alpha if alpha.size else None
    hole = np.where(alpha < OPAQUE, 255, 0).astype(np.uint8)
    if hole.any():
        return np.concatenate([colour, hole], axis=2), None
    if game.mask == "random":
        sentence = f"{reference(version)} fills holes: make what it shall paint transparent, in a PNG, WebP or TIFF."
        raise Invalid(sentence, code="no_hole", errors=(FieldError("/file", sentence),))
    return colour, None


def _png(made: images.Array, alpha: images.Array | None) -> bytes:
    """What was transparent is transparent again."""
    if alpha is None:
        return images.png(made)
    height, width, _ = made.shape
    if alpha.shape[:2] != (height, width):
        alpha = np.asarray(Image.fromarray(alpha[..., 0]).resize((width, height), Image.Resampling.BICUBIC))[..., None]
    return images.png(np.concatenate([made, alpha], axis=2))
