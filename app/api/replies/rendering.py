"""Render samples, which are pictures, points or strings, in every format that suits them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from app.api.deps import negotiate
from app.api.replies import images
from app.core.errors import FieldError, Invalid
from app.core.settings import Settings
from data.images import line_plot, line_size, scatter, sheet, text_sheet, text_size
from data.levels import Pixels
from data.toy import MIXTURES, VALID, line_through, spell
from forger.schemas.base import Out
from forger.schemas.samples import (
    DecodedPictures,
    DecodedPoints,
    DecodedStrings,
    Format,
    Pictures,
    PointSamples,
    Strings,
)
from models.spec import data as spec
from models.spec.data import DataSpec
from models.spec.datasets import DATASETS

Array = NDArray[Any]
ReplyFields = dict[str, Any]
"""fields of a JSON reply besides the samples"""
ReplyTypes = tuple[type[Out], type[Out], type[Out]]
"""types of a JSON reply with pictures, with points, with strings"""
SAMPLE_TYPES: ReplyTypes = (Pictures, PointSamples, Strings)
DECODED_TYPES: ReplyTypes = (DecodedPictures, DecodedPoints, DecodedStrings)
Describe = Callable[[int | None], str]
"""returns the text that a PNG carries: of the picture with this number, or of all in one (None)"""
MEDIA: Mapping[str, Format] = {
    "image/png": "png",
    "image/webp": "webp",
    "application/json": "json",
    "application/x-npy": "npy",
    "application/zip": "zip",
    "text/plain": "txt",
}
MEDIA_OF: Mapping[Format, str] = {format_: media for media, format_ in MEDIA.items()}
_PICTURES: tuple[Format, ...] = ("png", "webp", "json", "npy", "zip")


@dataclass(frozen=True)
class Rendering:
    """Functions that compute the parts that a format may need."""

    array: Callable[[], Array]
    reply: Callable[[], Out]
    picture: Callable[[], Pixels]
    files: Callable[[], dict[str, bytes]]
    text: Callable[[], str] = str
    describe: Describe | None = None

    def encode(self, format_: Format) -> bytes:
        match format_:
            case "png":
                return images.png(self.picture(), self.describe and self.describe(None))
            case "webp":
                return images.webp(self.picture())
            case "json":
                return self.json()
            case "npy":
                return images.npy(self.array())
            case "zip":
                return images.zip_files(self.files())
            case "txt":
                return self.text().encode()

    def json(self) -> bytes:
        return self.reply().model_dump_json(by_alias=True).encode()


def possible_formats(data: DataSpec) -> tuple[Format, ...]:
    """Return the formats that samples of such data can have, the default first."""
    return ("txt", *_PICTURES) if isinstance(data, spec.Sequences) else _PICTURES


def pixel_count(data: DataSpec, count: int, scale: int) -> int:
    """Return the pixels of a picture of `count` samples, including the gap after each."""
    match data:
        case spec.Points(dimension=1):
            width, height = line_size(scale)
        case spec.Points():
            width = height = images.SCATTER_SIDE * scale
        case spec.Sequences():
            width, height, _ = text_size(count, data.length, scale)
        case _:
            return count * ((data.side + 1) * scale) ** 2
    return width * height


def choose_format(requested: Format | None, accept: str | None, data: DataSpec, owner: str) -> Format:
    """Return the requested format, or the possible one that Accept prefers. Raises Invalid, NotAcceptable.

    `owner` is the word for what has such data: model or dataset.
    """
    possible = possible_formats(data)
    if requested is None:
        return MEDIA[negotiate(accept, tuple(MEDIA_OF[format_] for format_ in possible))]
    if requested not in possible:
        sentence = f"This {owner}'s {data.kind} cannot be sent as {requested}; request {', '.join(possible)}."
        raise Invalid(sentence, code="no_such_format", errors=(FieldError("/format", sentence),))
    return requested


def require_room(
    data: DataSpec,
    count: int,
    scale: int,
    settings: Settings,
    pointer: str = "/scale",
    samples_pointer: str = "/n",
) -> int:
    """Return the pixels of a reply with `count` samples. Raises Invalid if there are too many samples or pixels.

    `pointer` and `samples_pointer` name the parameters that should change if there are too many pixels, or samples.
    """
    if count > settings.max_samples:
        raise _refused(
            samples_pointer, f"{count} pictures are more than {settings.max_samples} (max_samples). Ask for fewer."
        )
    pixels = pixel_count(data, count, scale)
    if pixels > settings.max_pixels:
        raise _refused(
            pointer, f"{pixels} pixels are more than {settings.max_pixels} (max_pixels). Ask for fewer or smaller."
        )
    return pixels


def _refused(pointer: str, sentence: str) -> Invalid:
    return Invalid(sentence, code="too_much", errors=(FieldError(pointer, sentence),))


def render(
    data: DataSpec,
    drawn: Array,
    scale: int,
    columns: int | None,
    fields: ReplyFields,
    types: ReplyTypes = SAMPLE_TYPES,
    describe: Describe | None = None,
) -> Rendering:
    """Return the rendering of an array with samples of such data. Every PNG carries the text of `describe`, if any."""
    pictures, points, strings = types
    match data:
        case spec.Points():
            return _points(data, drawn, scale, _Reply(points, fields), describe)
        case spec.Sequences():
            return _strings(data, drawn, scale, _Reply(strings, fields), describe)
        case _:
            return _pictures(images.enlarge(drawn, scale), columns, scale, _Reply(pictures, fields), describe)


@dataclass(frozen=True)
class _Reply:
    """The type of a JSON reply, and its fields besides the samples."""

    type: type[Out]
    fields: ReplyFields

    def __call__(self, **samples: Any) -> Out:
        return self.type.model_validate(self.fields | samples)


def _pictures(pictures: Array, columns: int | None, gap: int, reply: _Reply, describe: Describe | None) -> Rendering:
    def pngs() -> list[bytes]:
        return [images.png(picture, describe and describe(number)) for number, picture in enumerate(pictures)]

    return Rendering(
        array=lambda: pictures,
        reply=lambda: reply(images=[images.base64_text(png) for png in pngs()]),
        picture=lambda: sheet(pictures, columns, gap),
        files=lambda: {f"{number:04d}.png": png for number, png in enumerate(pngs())},
        describe=describe,
    )


def _points(data: spec.Points, points: Array, scale: int, reply: _Reply, describe: Describe | None) -> Rendering:
    def picture() -> Pixels:
        truth = MIXTURES[data.dataset]
        if data.dimension == 2:
            return scatter(points, images.SCATTER_SIDE * scale, modes=truth.modes)
        x = line_through(truth)
        return line_plot(points[:, 0], x, truth.density(x[:, None]), scale=scale)

    rendering = Rendering(
        array=lambda: points,
        reply=lambda: reply(points=points.tolist()),
        picture=picture,
        files=lambda: {"points.json": rendering.json(), "points.png": rendering.encode("png")},
        describe=describe,
    )
    return rendering


def _strings(data: spec.Sequences, symbols: Array, scale: int, reply: _Reply, describe: Describe | None) -> Rendering:
    strings = spell(symbols, DATASETS[data.dataset].alphabet)

    def picture() -> Pixels:
        valid = VALID[data.dataset](symbols).tolist() if data.dataset in VALID else None
        return text_sheet(strings, valid, scale)

    rendering = Rendering(
        array=lambda: symbols,
        reply=lambda: reply(strings=strings),
        picture=picture,
        files=lambda: {"strings.txt": rendering.encode("txt"), "strings.png": rendering.encode("png")},
        text=lambda: "".join(f"{string}\n" for string in strings),
        describe=describe,
    )
    return rendering
