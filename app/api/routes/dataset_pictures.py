"""Serve GET /datasets/{name}/pictures: real examples, as training sees them."""

import hashlib
import secrets
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response

from app.api.deps import ExamplesDep, SettingsDep, negotiate
from app.api.headers import header_docs
from app.api.middleware.disconnect import cancel_on_disconnect
from app.api.openapi.refusals import refusal_responses
from app.api.replies import rendering
from app.api.replies.images import on_imaging_thread
from app.api.replies.rendering import MEDIA, MEDIA_OF, ReplyTypes
from app.core.errors import FieldError, Invalid
from app.core.limits import SEED_LIMIT
from app.schemas.dataset_pictures import DatasetPicturesQuery
from app.services.datasets import catalog
from data.readers.examples import Choice, Label
from forger.schemas.samples import DatasetPictures, DatasetPoints, DatasetStrings
from models.spec.data import DataSpec, Images, TwoDomains
from models.spec.datasets import DatasetInfo

router = APIRouter(prefix="/datasets", tags=["catalogue"])
TYPES: ReplyTypes = (DatasetPictures, DatasetPoints, DatasetStrings)


@router.get(
    "/{name}/pictures",
    response_class=Response,
    responses=refusal_responses(404, 406, 409, 429, 503)
    | {
        200: {
            "model": DatasetPictures | DatasetPoints | DatasetStrings,
            "content": {media: {} for media in MEDIA},
            "headers": header_docs("X-Forger-Seed", "X-Forger-Class"),
        }
    },
)
async def get_dataset_pictures(
    request: Request,
    name: str,
    query: Annotated[DatasetPicturesQuery, Query()],
    examples: ExamplesDep,
    settings: SettingsDep,
    accept: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Show real pictures; or points or strings, if the dataset holds those. Training by default sees them like this.

    Equal seeds show equal examples, and example i does not depend on `n`.
    """
    negotiate(accept, tuple(MEDIA))
    info = (await to_thread.run_sync(catalog.find, name)).info
    spec = _spec(info, query.side, query.channels)
    format_ = rendering.choose_format(query.format, accept, spec, "dataset")
    label, domain = _label(info, query.class_), _domain(info, query.domain)
    rendering.require_room(spec, query.n * (info.classes if label == "each" else 1), 1, settings, "/n")
    seed = secrets.randbelow(SEED_LIMIT) if query.seed is None else query.seed
    fields = {"dataset": name, "seed": seed, "class": label, "domain": domain}
    columns = query.n if label == "each" else None

    async def body() -> bytes:
        array = await examples.read(info, Choice(query.n, seed, label, domain or "a"), spec)
        return await on_imaging_thread(rendering.render(spec, array, 1, columns, fields, TYPES).encode, format_)

    data = await cancel_on_disconnect(request, body())
    headers = {
        # The files of a built-in dataset may be replaced, so only the reply itself tells whether it is the same.
        "ETag": f'"{hashlib.sha256(data).hexdigest()[:32]}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept",
        "X-Forger-Seed": str(seed),
        **({} if label is None else {"X-Forger-Class": str(label)}),
    }
    if if_none_match and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=MEDIA_OF[format_], headers=headers)


def _label(info: DatasetInfo, requested: str | None) -> Label:
    """Return the requested class. Raises Invalid if the dataset does not have it."""
    if requested is None:
        return None
    if not info.classes:
        raise _refused("/class", f"'{info.name}' has no classes; leave `class` out.", "no_such_class")
    return "each" if requested == "each" else catalog.class_number(info.class_names, requested)


def _domain(info: DatasetInfo, requested: str | None) -> str | None:
    """Return the domain that is shown; None if there is only one. Raises Invalid if one is requested then."""
    if isinstance(info.spec(), TwoDomains):
        return requested or "a"
    if requested is not None:
        raise _refused("/domain", f"'{info.name}' has one domain only; leave `domain` out.", "no_such_domain")
    return None


def _spec(info: DatasetInfo, side: int | None, channels: str | None) -> DataSpec:
    """Return the shape in which the examples are shown. Raises Invalid if they have no size to choose."""
    spec = info.default_spec()
    chosen = {"side": side, "channels": channels and int(channels)}
    changes = {name: value for name, value in chosen.items() if value is not None}
    if changes and not isinstance(spec, Images):
        name = next(iter(changes))
        raise _refused(f"/{name}", f"'{info.name}' is shown at its own size; leave `{name}` out.", "no_such_size")
    return spec.model_copy(update=changes)


def _refused(pointer: str, sentence: str, code: str) -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError(pointer, sentence),))
