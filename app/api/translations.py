"""POST /translate: a picture in the other style, at its own size."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, File, Form, Response, UploadFile

from app.api import images
from app.api.deps import TheInference, TheSandbox, TheSettings, multipart_body
from app.api.images import imaging
from app.api.problems import refused
from app.schemas.samples import Reference
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
    file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, BMP, TIFF or PPM.")],
    inference: TheInference,
    sandbox: TheSandbox,
    settings: TheSettings,
    model: Annotated[Reference | None, Form()] = None,
    direction: Annotated[Literal["a2b", "b2a"], Form()] = "a2b",
) -> Response:
    """Turn a picture into the other style, at its own size.

    It is turned upright as its EXIF says, its alpha is kept; of several frames the first is taken.
    """
    version = await inference.translator(model)
    data = version.recipe.data
    channels = 3 if data.kind == "points" else data.channels
    image = await images.decode(sandbox, file.file, channels, settings)
    colour, alpha = np.split(image, [channels], axis=2)
    styled = await inference.translate(version, colour, direction)
    headers = {"X-Forger-Model": reference(version), "Cache-Control": "no-store"}
    return Response(await imaging(_png, styled, alpha), media_type="image/png", headers=headers)


def _png(styled: images.Array, alpha: images.Array) -> bytes:
    """What was transparent is transparent again."""
    return images.png(np.concatenate([styled, alpha], axis=2) if alpha.size else styled)
