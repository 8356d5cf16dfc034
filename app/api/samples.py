"""GET /sample: pictures from noise."""

import hashlib
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from numpy.typing import NDArray

from app.api import images
from app.api.deps import TheInference, TheSettings, negotiate
from app.api.images import imaging
from app.api.problems import refused
from app.core.errors import FieldError, Invalid
from app.core.limits import SEED_LIMIT
from app.core.settings import Settings
from app.schemas.samples import Format, Pictures, Points, SampleQuery
from app.services import datasets
from app.services.inference import reference
from app.services.views import VersionView
from models.picture import scatter, sheet
from models.spec.recipe import Recipe

router = APIRouter(tags=["inference"])

Array = NDArray[Any]
Pick = tuple[int | None, int]
MEDIA: dict[str, Format] = {
    "image/png": "png",
    "image/webp": "webp",
    "application/json": "json",
    "application/x-npy": "npy",
    "application/zip": "zip",
}
MEDIA_OF = {format_: media for media, format_ in MEDIA.items()}


@router.get(
    "/sample",
    response_class=Response,
    responses=refused(404, 406, 409, 429, 503)
    | {200: {"model": Pictures | Points, "content": {media: {} for media in MEDIA}}},
)
async def sample(
    asked: Annotated[SampleQuery, Query()],
    inference: TheInference,
    settings: TheSettings,
    accept: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw a picture, or a grid of them. The same seed gives the same picture, at any load."""
    format_ = asked.format or MEDIA[negotiate(accept, tuple(MEDIA))]
    version = await inference.sampler(asked.model, asked.class_)
    seed = secrets.randbelow(SEED_LIMIT) if asked.seed is None else asked.seed
    label = _label(inference.class_names(version), asked.class_)
    _check_limits(asked, label, version.recipe, settings)
    headers = _headers(version, asked, format_, seed, label)
    if if_none_match and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    picks = _picks(version.recipe, label, asked.n, seed)
    drawn = await inference.sample(version, picks, seed=seed, truncation=asked.truncation)
    columns = asked.n if label == "each" else None
    said = {"model": reference(version), "seed": seed, "class": label}
    body = await imaging(_encode, drawn, format_, asked.scale, columns, said)
    return Response(body, media_type=MEDIA_OF[format_], headers=headers)


def _label(names: tuple[str, ...], wanted: str | None) -> int | str | None:
    if wanted is None or wanted == "each":
        return wanted
    return datasets.class_number(names, wanted)


def _picks(recipe: Recipe, label: int | str | None, n: int, seed: int) -> list[Pick]:
    """Row by row. Where a class is needed and none was asked for, it is a function of the seed and the number."""
    if label == "each":
        return [(row, index) for row in range(recipe.classes) for index in range(n)]
    if isinstance(label, int):
        return [(label, index) for index in range(n)]
    if recipe.labelled:
        return [(_any_class(seed, index, recipe.classes), index) for index in range(n)]
    return [(None, index) for index in range(n)]


def _any_class(seed: int, index: int, classes: int) -> int:
    digest = hashlib.blake2b(f"{seed}/class/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % classes


def _check_limits(asked: SampleQuery, label: int | str | None, recipe: Recipe, settings: Settings) -> None:
    count = asked.n * (recipe.classes if label == "each" else 1)
    if count > settings.max_samples:
        raise _refused("/n", f"{count} pictures are more than {settings.max_samples} (max_samples). Ask for fewer.")
    if recipe.data.kind == "points":
        pixels = (images.SCATTER * asked.scale) ** 2
    else:
        pixels = count * (recipe.data.side * asked.scale) ** 2
    if pixels > settings.max_pixels:
        raise _refused(
            "/scale", f"{pixels} pixels are more than {settings.max_pixels} (max_pixels). Ask for fewer or smaller."
        )


def _refused(pointer: str, sentence: str) -> Invalid:
    return Invalid(sentence, code="too_much", errors=(FieldError(pointer, sentence),))


def _headers(
    version: VersionView, asked: SampleQuery, format_: Format, seed: int, label: int | str | None
) -> dict[str, str]:
    parts = (version.export_sha256, label, asked.n, seed, asked.truncation, asked.scale, format_)
    pinned = asked.model == reference(version) and asked.seed is not None
    headers = {
        "ETag": '"' + hashlib.sha256(repr(parts).encode()).hexdigest()[:32] + '"',
        "Cache-Control": "private, max-age=31536000, immutable" if pinned else "no-cache",
        "Vary": "Accept",
        "X-Forger-Model": reference(version),
        "X-Forger-Seed": str(seed),
    }
    return headers if label is None else headers | {"X-Forger-Class": str(label)}


def _encode(drawn: Array, format_: Format, scale: int, columns: int | None, said: dict[str, Any]) -> bytes:
    if format_ == "npy":
        return images.npy(drawn if drawn.ndim == 2 else images.enlarge(drawn, scale))
    if drawn.ndim == 2:
        return _encode_points(drawn, format_, scale, said)
    pictures = images.enlarge(drawn, scale)
    match format_:
        case "png":
            return images.png(sheet(pictures, columns))
        case "webp":
            return images.webp(sheet(pictures, columns))
        case "json":
            reply = Pictures.model_validate(said | {"images": images.base64_png(pictures)})
            return reply.model_dump_json(by_alias=True).encode()
        case "zip":
            return images.zipped({f"{i:04d}.png": images.png(picture) for i, picture in enumerate(pictures)})


def _encode_points(points: Array, format_: Format, scale: int, said: dict[str, Any]) -> bytes:
    reply = Points.model_validate(said | {"points": points.tolist()}).model_dump_json(by_alias=True).encode()
    match format_:
        case "json":
            return reply
        case "webp":
            return images.webp(scatter(points, images.SCATTER * scale))
        case "zip":
            return images.zipped(
                {"points.json": reply, "points.png": images.png(scatter(points, images.SCATTER * scale))}
            )
        case _:
            return images.png(scatter(points, images.SCATTER * scale))
