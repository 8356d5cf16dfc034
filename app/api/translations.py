"""POST /translate: a picture comes back as the model has learned to answer it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile

from app.api import images
from app.api.deps import TheInference, TheSandbox, TheSettings, multipart_body
from app.api.images import imaging
from app.api.presence import while_here
from app.api.problems import refused
from app.api.uploads import require_once
from app.schemas.samples import Reference
from app.services import translated
from app.services.inference import reference

router = APIRouter(tags=["inference"])


@router.post(
    "/translate",
    response_class=Response,
    responses=refused(404, 409, 429, 503) | {200: {"content": {"image/png": {}}}},
    dependencies=[Depends(multipart_body)],
    form_limits={"max_files": 1, "max_fields": 8, "max_part_size": 1024},
)
async def translate(
    request: Request,
    file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, BMP, TIFF or PPM.")],
    inference: TheInference,
    sandbox: TheSandbox,
    settings: TheSettings,
    model: Annotated[Reference | None, Form()] = None,
    direction: Annotated[Literal["a2b", "b2a"], Form()] = "a2b",
) -> Response:
    """Turn a picture into the other style, or enlarge it, or fill its hole.

    What it does is what the model learned.

    It is turned upright as its EXIF says, its alpha is kept; of several frames the first is taken. For a model that
    fills holes what is transparent is the hole, and the answer is opaque.

    The header Forger-Note says so where its scale is far from that of the pictures that the model learned from.
    """
    require_once(await request.form())
    version = await inference.translator(model, direction)
    await inference.admit()
    recipe, name = version.recipe, reference(version)
    image = await images.decode(sandbox, file.file, translated.channels_of(recipe), settings)
    translated.require_room(image, recipe, name, settings.max_pixels)
    shown, alpha = await imaging(translated.parted, image, recipe, name)
    made = await while_here(request, inference.translate(version, shown, direction))
    headers = {"X-Forger-Model": name, "Cache-Control": "no-store"}
    if note := translated.note(image, recipe):
        headers["Forger-Note"] = note
    return Response(await imaging(_png, made, alpha), media_type="image/png", headers=headers)


def _png(made: images.Array, alpha: images.Array | None) -> bytes:
    return images.png(translated.joined(made, alpha))
