"""Serve POST /features: the features that a model's critic or encoder makes of pictures."""

import math
from collections.abc import Awaitable, Sequence
from concurrent.futures import Future
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from app.api.deps import InferenceDep, SandboxDep, SettingsDep
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies.encode_batch import MAX_BATCHED_PIXELS, encode_when_drawn
from app.api.replies.images import Array, decode_upload, npy, on_imaging_thread, zip_files
from app.api.requests.forms import FormRoute
from app.core.errors import Conflict, FieldError, Invalid
from app.core.limits import MAX_FEATURE_PICTURES
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from app.schemas.samples import Reference
from app.services.inference.capabilities import FEATURES
from app.services.inference.preparation import prepared
from app.services.inference.service import health_header
from app.services.views import VersionView
from forger.schemas.features import FeaturesOut
from models.spec.data import Images

router = APIRouter(tags=["inference"], route_class=FormRoute)

NPZ = "application/x-npz"
FLOAT_DIGITS = 9
"""significant digits from which a float32 can be read back exactly"""


@router.post(
    "/features",
    response_model=FeaturesOut,
    responses=refusal_responses(404, 409, 429, 503)
    | {200: {"content": {NPZ: {}}, "headers": header_docs("X-Forger-Model", "Forger-Health", "Forger-Note")}},
)
async def compute_features(
    request: Request,
    file: Annotated[
        list[UploadFile], File(max_length=MAX_FEATURE_PICTURES, description="Pictures; send the part several times.")
    ],
    inference: InferenceDep,
    sandbox: SandboxDep,
    settings: SettingsDep,
    model: Annotated[Reference | None, Form()] = None,
    format: Annotated[Literal["json", "npz"], Form(description="npz: an array `features` for NumPy.")] = "json",
) -> Response:
    """Return the features that a model's encoder or critic makes of pictures.

    They are the code of the encoder, or the last hidden layer of the critic.

    The service reads the pictures as POST /translate does, and prepares them as the training did: the centred square,
    at the model's side and channels. Features of a picture depend on the version and on the picture alone.
    """
    version = await inference.versions.newest(FEATURES, model)
    await inference.admit()
    pictures, notes = await read_pictures(file, version, sandbox, settings)

    def then(computed: Future[Array]) -> Awaitable[bytes]:
        # Not in a batch: the features may be many.
        return encode_when_drawn(computed, lambda features: _encoded(features, version, format), MAX_BATCHED_PIXELS + 1)

    body = await cancel_on_disconnect(request, inference.features(version, pictures, then))
    headers = {"X-Forger-Model": version.reference, **health_header(version), "Cache-Control": "no-store"}
    if notes:
        headers["Forger-Note"] = " ".join(notes)
    return Response(body, media_type=NPZ if format == "npz" else "application/json", headers=headers)


async def read_pictures(
    files: Sequence[UploadFile], version: VersionView, sandbox: Sandbox, settings: Settings
) -> tuple[Array, list[str]]:
    """Return the pictures [n, side, side, channels], and notes. Raises Invalid for too many pixels in all."""
    data = version.recipe.data
    assert isinstance(data, Images)
    pictures, notes, pixels = list[Array](), list[str](), 0
    for number, file in enumerate(files, 1):
        decoded, remarks = await decode_upload(
            sandbox, file.file, data.channels, settings, masked=False, bits=data.bits
        )
        pixels += math.prod(decoded.shape[:2])
        if pixels > settings.max_pixels:
            sentence = (
                f"The pictures have more than {settings.max_pixels} pixels together (max_pixels), counted up to number "
                f"{number}. Send fewer, or smaller ones."
            )
            raise Invalid(sentence, code="too_many_pixels", errors=(FieldError("/file", sentence),))
        pictures.append(await on_imaging_thread(prepared, decoded, data))
        notes += [f"Picture {number}: {remark}" for remark in remarks]
    return np.stack(pictures), notes


def _encoded(features: Array, version: VersionView, format: Literal["json", "npz"]) -> bytes:
    if not np.isfinite(features).all():
        sentence = f"The features of {version.reference} are not finite, so its training diverged: name another model."
        raise Conflict(sentence, code="not_finite", errors=(FieldError("/model", sentence),))
    if format == "npz":
        return zip_files({"features.npy": npy(features)})
    source = version.recipe.feature_source
    assert source is not None
    rows = [[float(f"{number:.{FLOAT_DIGITS}g}") for number in row] for row in features.tolist()]
    reply = FeaturesOut(model=version.reference, source=source, size=features.shape[1], features=rows)
    return reply.model_dump_json().encode()
