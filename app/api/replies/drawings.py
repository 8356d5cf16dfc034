"""Samples in every format that suits them: pictures, points and strings."""

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
Said = dict[str, Any]
"""what every JSON reply says beside what was drawn"""
_PICTURES: tuple[Format, ...] = ("png", "webp", "json", "npy", "zip")


@dataclass(frozen=True)
class Drawing:
    """The parts that a format may need. Each is made when it is asked for."""

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
                return images.zipped(self.files())
            case "txt":
                return self.text().encode()

    def json(self) -> bytes:
        return self.reply().model_dump_json(by_alias=True).encode()


def formats(data: DataSpec) -> tuple[Format, ...]:
    """Those that what is drawn can have, the usual one first."""
    return ("txt", *_PICTURES) if isinstance(data, spec.Sequences) else _PICTURES


def pixels(data: DataSpec, count: int, scale: int) -> int:
    """Of the picture of so many, with the gap after each."""
    match data:
        case spec.Points(dimension=1):
            width, height = line_size(scale)
        case spec.Points():
            width = height = images.SCATTER * scale
        case spec.Sequences():
            width, height, _ = text_size(count, data.length, scale)
        case _:
            return count * ((data.side + 1) * scale) ** 2
    return width * height


def drawing(data: DataSpec, drawn: Array, scale: int, columns: int | None, said: Said) -> Drawing:
    """Of what the engine drew for a model of such data."""
    match data:
        case spec.Points():
            return _points(data, drawn, scale, said)
        case spec.Sequences():
            return _strings(data, drawn, scale, said)
        case _:
            return _pictures(images.enlarge(drawn, scale), columns, scale, said)


def _pictures(pictures: Array, columns: int | None, gap: int, said: Said) -> Drawing:
    return Drawing(
        array=lambda: pictures,
        reply=lambda: Pictures.model_validate(said | {"images": images.base64_png(pictures)}),
        picture=lambda: sheet(pictures, columns, gap),
        files=lambda: {f"{i:04d}.png": images.png(picture) for i, picture in enumerate(pictures)},
    )


def _points(data: spec.Points, points: Array, scale: int, said: Said) -> Drawing:
    def picture() -> Pixels:
        truth = MIXTURES[data.dataset]
        if data.dimension == 2:
            return scatter(points, images.SCATTER * scale, modes=truth.modes)
        x = line_through(truth)
        return line_plot(points[:, 0], x, truth.density(x[:, None]), scale=scale)

    made = Drawing(
        array=lambda: points,
        reply=lambda: PointSamples.model_validate(said | {"points": points.tolist()}),
        picture=picture,
        files=lambda: {"points.json": made.json(), "points.png": made.encode("png")},
    )
    return made


def _strings(data: spec.Sequences, symbols: Array, scale: int, said: Said) -> Drawing:
    strings = spell(symbols, DATASETS[data.dataset].alphabet)

    def picture() -> Pixels:
        valid = VALID[data.dataset](symbols).tolist() if data.dataset in VALID else None
        return text_sheet(strings, valid, scale)

    made = Drawing(
        array=lambda: symbols,
        reply=lambda: Strings.model_validate(said | {"strings": strings}),
        picture=picture,
        files=lambda: {"strings.txt": made.encode("txt"), "strings.png": made.encode("png")},
        text=lambda: "".join(f"{string}\n" for string in strings),
    )
    return made
