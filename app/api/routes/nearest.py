"""Serve POST /datasets/{name}/nearest: the training pictures that look most like a picture."""

from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, File, Form, Request, UploadFile

from app.api.deps import NearestDep, SandboxDep, SettingsDep
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies.images import base64_text, decode_upload, png
from app.api.requests.forms import FormRoute
from app.core.errors import FieldError, Invalid
from app.core.limits import MAX_NEAREST
from app.services.datasets import catalog
from app.services.datasets.nearest import Found
from data.nearest import TYPICAL_PICTURES
from forger.schemas.nearest import NearestOut, NearestPicture, TypicalDistance
from models.spec.data import MAX_DATA_SIDE, MIN_DATA_SIDE, Images
from models.spec.datasets import DatasetInfo

router = APIRouter(prefix="/datasets", tags=["catalogue"], route_class=FormRoute)


@router.post("/{name}/nearest", responses=refusal_responses(404, 409, 429, 503))
async def find_nearest_pictures(
    request: Request,
    name: str,
    file: Annotated[UploadFile, File(description="A square picture, such as a sample of a model.")],
    nearest: NearestDep,
    sandbox: SandboxDep,
    settings: SettingsDep,
    n: Annotated[int, Form(ge=1, le=MAX_NEAREST, description="Number of training pictures.")] = 1,
    channels: Annotated[
        Literal["1", "3"] | None, Form(description="Compare in grey or in colour; default: as the dataset is.")
    ] = None,
) -> NearestOut:
    """Find the training pictures nearest to a picture. They show whether a model has memorised them.

    The distance is the root mean square difference of pixels in [0, 1], at the side of the sent picture. `typical` says
    how far real pictures are from the nearest other real one. All pictures of the training split are compared.
    """
    info = (await to_thread.run_sync(catalog.find, name)).info
    spec = _pictures_of(info)
    n_channels = int(channels) if channels else spec.channels
    decoded, _ = await decode_upload(sandbox, file.file, n_channels, settings, masked=False, bits=spec.bits)
    # Without alpha, which may be the last channel.
    query = decoded[..., :n_channels]
    sized = spec.model_copy(update={"side": _side(query.shape[:2]), "channels": n_channels})
    return _reply(info, sized, await cancel_on_disconnect(request, nearest.search(info, sized, query, n)))


def _pictures_of(info: DatasetInfo) -> Images:
    """Return the shape of the dataset's pictures. Raises Invalid if it holds something else."""
    spec = info.spec()
    if not isinstance(spec, Images):
        sentence = f"'{info.name}' holds no pictures of one domain: choose a dataset that does."
        raise Invalid(sentence, code="no_pictures")
    return spec


def _side(size: tuple[int, ...]) -> int:
    """Return the side of a square picture. Raises Invalid for others."""
    height, width = size
    if height != width or not MIN_DATA_SIDE <= width <= MAX_DATA_SIDE:
        sides = f"{MIN_DATA_SIDE} to {MAX_DATA_SIDE}"
        sentence = f"The picture is {width} x {height} pixels: send a square of {sides} pixels a side."
        raise Invalid(sentence, code="not_square", errors=(FieldError("/file", sentence),))
    return width


def _reply(info: DatasetInfo, spec: Images, found: Found) -> NearestOut:
    rows = zip(found.rows, found.distances, found.labels, found.pictures, strict=True)
    data = [
        NearestPicture.model_validate(
            {
                "row": row,
                "distance": distance,
                "class": label if info.classes else None,
                "image": base64_text(png(picture)),
            }
        )
        for row, distance, label, picture in rows
    ]
    typical = (
        None
        if found.typical is None
        else TypicalDistance(median=found.typical, n=min(TYPICAL_PICTURES, found.searched))
    )
    return NearestOut(
        dataset=info.name,
        side=spec.side,
        channels=spec.channels,
        measure="rms",
        searched=found.searched,
        data=data,
        typical=typical,
    )
