"""Draw tables, curves and samples in one picture, for a page or a slide."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from data.images import INK, plotting

Picture = Image.Image
FONT, TITLE, SMALL = 20, 24, 15
"""pixels of letters"""
PAD, LINE = 14, 40
"""pixels beside a cell's text, and of a row down"""
PAPER, STRIPE, RULE, BEST = "white", "#f4f5f7", "#c9ccd1", "#e2f3e4"
GREY = "#5d6269"
WIDTH = 1100
"""pixels across a sheet of samples"""
CURVES = (11, 4.2)
"""inches"""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    best: bool = False


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], notes: Sequence[str]) -> Picture:
    """The first column to the left, the others to the right; the best cells bold on green."""
    font, bold, large, small = _font(FONT), _font(FONT, bold=True), _font(TITLE, bold=True), _font(SMALL)
    columns = [
        max(bold.getlength(name), *(bold.getlength(row[place].text) for row in rows), 0) + 2 * PAD
        for place, name in enumerate(head)
    ]
    wide = max(sum(columns), large.getlength(title) + 2 * PAD, *(small.getlength(note) + 2 * PAD for note in notes), 0)
    lines = _lines(notes)
    canvas = Image.new("RGB", (round(wide + 2 * PAD), 2 * PAD + LINE * (len(rows) + 2) + lines), PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((2 * PAD, PAD + LINE / 2), title, fill=INK, font=large, anchor="lm")
    top = PAD + LINE
    _row(pen, top, columns, [(name, bold, GREY) for name in head])
    for number, row in enumerate(rows, 1):
        own = top + number * LINE
        if number % 2 == 0:
            pen.rectangle((PAD, own, PAD + sum(columns), own + LINE - 1), fill=STRIPE)
        _mark_best(pen, own, columns, row)
        _row(pen, own, columns, [(cell.text, bold if cell.best else font, INK) for cell in row])
    for edge in (top, top + LINE, top + (len(rows) + 1) * LINE):
        pen.line((PAD, edge, PAD + sum(columns), edge), fill=RULE, width=2)
    _write(pen, top + (len(rows) + 1) * LINE + PAD, notes)
    return canvas


def _row(
    pen: ImageDraw.ImageDraw, top: float, columns: Sequence[float], cells: Sequence[tuple[str, "Font", str]]
) -> None:
    left: float = PAD
    for place, ((text, font, colour), wide) in enumerate(zip(cells, columns, strict=True)):
        x, anchor = (left + PAD, "lm") if place == 0 else (left + wide - PAD, "rm")
        pen.text((x, top + LINE / 2), text, fill=colour, font=font, anchor=anchor)
        left += wide


def _mark_best(pen: ImageDraw.ImageDraw, top: float, columns: Sequence[float], row: Sequence[Cell]) -> None:
    left: float = PAD
    for cell, wide in zip(row, columns, strict=True):
        if cell.best:
            pen.rectangle((left + 2, top + 3, left + wide - 3, top + LINE - 4), fill=BEST)
        left += wide


def _lines(notes: Sequence[str]) -> int:
    return len(notes) * (SMALL + 8) + (PAD if notes else 0)


def _write(pen: ImageDraw.ImageDraw, top: float, notes: Sequence[str]) -> None:
    for number, note in enumerate(notes):
        place = (2 * PAD, top + number * (SMALL + 8))
        pen.text(place, note, fill=GREY, font=_font(SMALL))


def sheet(samples: Sequence[tuple[str, str, Picture]], curves: Picture | None) -> Picture:
    """Pictures with a name and a note above, from left to right and then below; the curves at the bottom."""
    made = [_named(name, note, picture) for name, note, picture in samples]
    if curves is not None:
        made.append(curves)
    places, x, y, deep = [], 0, 0, 0
    for picture in made:
        if x and x + picture.width > WIDTH:
            x, y, deep = 0, y + deep + PAD, 0
        places.append((x, y))
        x, deep = x + picture.width + PAD, max(deep, picture.height)
    wide = max(x + picture.width for (x, _), picture in zip(places, made, strict=True))
    canvas = Image.new("RGB", (wide + 2 * PAD, y + deep + 2 * PAD), PAPER)
    for (x, y), picture in zip(places, made, strict=True):
        canvas.paste(picture, (x + PAD, y + PAD))
    return canvas


def _named(name: str, note: str, picture: Picture) -> Picture:
    bold, font, line = _font(SMALL, bold=True), _font(SMALL - 2), SMALL + 5
    wide = max(picture.width, round(max(bold.getlength(name), font.getlength(note))) + 2)
    canvas = Image.new("RGB", (wide, picture.height + 2 * line + 2), PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((0, 0), name, fill=INK, font=bold)
    pen.text((0, line), note, fill=GREY, font=font)
    canvas.paste(picture.convert("RGB"), (0, 2 * line + 2))
    return canvas


def plot(title: str, curves: Mapping[str, Sequence[tuple[int, float | None]]]) -> Picture:
    """Curves by name over steps; what was not finite leaves a gap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import, and few draw with it
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with plotting:
        figure = Figure(figsize=CURVES, dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for name, points in curves.items():
            steps, values = [step for step, _ in points], [float("nan") if v is None else v for _, v in points]
            axes.plot(steps, values, linewidth=1.8, marker="o" if len(points) < 30 else None, markersize=4, label=name)
        axes.set(xlabel="step", ylabel=title)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        figure.savefig(out, format="png")
    return Image.open(out).convert("RGB")


def png(picture: Picture) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


Font = ImageFont.FreeTypeFont


@lru_cache
def _font(size: int, *, bold: bool = False) -> Font:
    """matplotlib brings a family that has every sign we write; Pillow's own has not."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
