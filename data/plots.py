"""Render tables, curves and samples as pictures for pages and slides."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from data.images import INK, matplotlib_lock

Picture = Image.Image
LETTER_PIXELS = 15
"""height of a letter on a sheet, in pixels"""
PADDING = 14
"""pixels around a picture on a sheet"""
PAPER, RULE, BEST = "white", "#c9ccd1", "#e2f3e4"
GREY = "#5d6269"
SHEET_WIDTH = 1100
"""width of a sheet of samples, in pixels"""
CURVES_INCHES = (11, 4.2)
"""width and height of a plot of curves, in inches"""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    best: bool = False


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], notes: Sequence[str]) -> Picture:
    """Render a table: the first column is aligned left, others right; best cells are bold on green."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import, and few callers need it
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with matplotlib_lock:
        figure = Figure(figsize=(1, 1), dpi=100)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        texts = [[cell.text for cell in row] for row in rows] or [[""] * len(head)]
        grid = axes.table(texts, colLabels=head, loc="upper left")
        grid.auto_set_font_size(False)
        grid.auto_set_column_width(list(range(len(head))))
        for (row, column), box in grid.get_celld().items():
            best = 0 < row <= len(rows) and rows[row - 1][column].best
            box.PAD = 0.06
            box.set(height=0.36, edgecolor=RULE, facecolor=BEST if best else PAPER)
            box.get_text().set(
                fontsize=14,
                color=INK if row else GREY,
                weight="bold" if best else "normal",
                horizontalalignment="right" if column else "left",
                parse_math=False,
            )
        canvas.draw()  # type: ignore[no-untyped-call]  # computes the table's position
        bounds = grid.get_window_extent().transformed(axes.transAxes.inverted())
        axes.text(bounds.x0, bounds.y1 + 0.12, title, fontsize=16, weight="bold", color=INK, parse_math=False)
        below = "\n".join(notes)
        axes.text(bounds.x0, bounds.y0 - 0.12, below, fontsize=10, color=GREY, va="top", parse_math=False)
        figure.savefig(out, format="png", bbox_inches="tight", pad_inches=0.2)
    return Image.open(out).convert("RGB")


def sheet(samples: Sequence[tuple[str, str, Picture]], curves: Picture | None) -> Picture:
    """Render pictures with a name and a note above each, row by row, and the curves at the bottom."""
    pictures = [_captioned(name, note, picture) for name, note, picture in samples]
    if curves is not None:
        pictures.append(curves)
    corners, x, y, row_height = [], 0, 0, 0
    for picture in pictures:
        if x and x + picture.width > SHEET_WIDTH:
            x, y, row_height = 0, y + row_height + PADDING, 0
        corners.append((x, y))
        x, row_height = x + picture.width + PADDING, max(row_height, picture.height)
    width = max(x + picture.width for (x, _), picture in zip(corners, pictures, strict=True))
    canvas = Image.new("RGB", (width + 2 * PADDING, y + row_height + 2 * PADDING), PAPER)
    for (x, y), picture in zip(corners, pictures, strict=True):
        canvas.paste(picture, (x + PADDING, y + PADDING))
    return canvas


def _captioned(name: str, note: str, picture: Picture) -> Picture:
    bold, font, line = _font(LETTER_PIXELS, bold=True), _font(LETTER_PIXELS - 2), LETTER_PIXELS + 5
    width = max(picture.width, round(max(bold.getlength(name), font.getlength(note))) + 2)
    canvas = Image.new("RGB", (width, picture.height + 2 * line + 2), PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((0, 0), name, fill=INK, font=bold)
    pen.text((0, line), note, fill=GREY, font=font)
    canvas.paste(picture.convert("RGB"), (0, 2 * line + 2))
    return canvas


def plot(title: str, curves: Mapping[str, Sequence[tuple[int, float | None]]]) -> Picture:
    """Plot curves by name over steps; values that are not finite leave a gap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import, and few callers need it
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with matplotlib_lock:
        figure = Figure(figsize=CURVES_INCHES, dpi=100, layout="constrained")
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
    """Load matplotlib's font: it has all characters that names and figures need, and Pillow's default font has not."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
