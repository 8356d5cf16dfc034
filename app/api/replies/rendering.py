"""Render samples, which are pictures, points or strings, in every format that suits them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from app.api.replies import images
from data.images import Pixels, line_plot, line_size, scatter, sheet, text_sheet, text_size
from data.toy import MIXTURES, VALID, line_through, spell
from forger.schemas.samples import Drawn, Format, Pictures, PointSamples, Strings
from models.spec import data as spec
from models.spec.data import DataSpec
from models.spec.datasets import DATASETS

Array = NDArray[Any]
ReplyFields = dict[str, Any]
"""fields of a JSON reply besides the samples"""
_PICTURES: tuple[Format, ...] = ("png", "webp", "json", "npy", "zip")


@dataclass(frozen=True)
class Rendering:
    """Functions that compute the parts that a format may need."""

    array: Callable[[], Array]
    reply: Callable[[], Drawn]
    picture: Callable[[], Pixels]
    files: Callable[[], dict[str, bytes]]
    text: Callable[[], str] = str

    def encode(self, format_: Format) -> bytes:
        match format_:
            case "png":
                return images.png(self.picture())
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


def render(data: DataSpec, drawn: Array, scale: int, columns: int | None, fields: ReplyFields) -> Rendering:
    """Return the rendering of an array that the engine drew for a model of such data."""
    match data:
        case spec.Points():
            return _points(data, drawn, scale, fields)
        case spec.Sequences():
            return _strings(data, drawn, scale, fields)
        case _:
            return _pictures(images.enlarge(drawn, scale), columns, scale, fields)


def _pictures(pictures: Array, columns: int | None, gap: int, fields: ReplyFields) -> Rendering:
    return Rendering(
        array=lambda: pictures,
        reply=lambda: Pictures.model_validate(fields | {"images": images.base64_png(pictures)}),
        picture=lambda: sheet(pictures, columns, gap),
        files=lambda: {f"{i:04d}.png": images.png(picture) for i, picture in enumerate(pictures)},
    )


def _points(data: spec.Points, points: Array, scale: int, fields: ReplyFields) -> Rendering:
    def picture() -> Pixels:
        truth = MIXTURES[data.dataset]
        if data.dimension == 2:
            return scatter(points, images.SCATTER_SIDE * scale, modes=truth.modes)
        x = line_through(truth)
        return line_plot(points[:, 0], x, truth.density(x[:, None]), scale=scale)

    rendering = Rendering(
        array=lambda: points,
        reply=lambda: PointSamples.model_validate(fields | {"points": points.tolist()}),
        picture=picture,
        files=lambda: {"points.json": rendering.json(), "points.png": rendering.encode("png")},
    )
    return rendering


def _strings(data: spec.Sequences, symbols: Array, scale: int, fields: ReplyFields) -> Rendering:
    strings = spell(symbols, DATASETS[data.dataset].alphabet)

    def picture() -> Pixels:
        valid = VALID[data.dataset](symbols).tolist() if data.dataset in VALID else None
        return text_sheet(strings, valid, scale)

    rendering = Rendering(
        array=lambda: symbols,
        reply=lambda: Strings.model_validate(fields | {"strings": strings}),
        picture=picture,
        files=lambda: {"strings.txt": rendering.encode("txt"), "strings.png": rendering.encode("png")},
        text=lambda: "".join(f"{string}\n" for string in strings),
    )
    return rendering
