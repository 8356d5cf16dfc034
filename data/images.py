"""Render sheets of pictures, points and strings, as arrays and as files."""

import io
import math
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from data import deep_png
from data.levels import Pixels, bits_of, to_bits
from data.toy import kernel_density

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
POINT_COLOUR, TRUTH_COLOUR, MODE_COLOUR = "#1f5fbf", "#969696", "#c8553d"
"""colours of generated points, of the true distribution, and of its modes"""
INK = "#333333"
VALID_COLOURS, INVALID_COLOURS = ("#eaf6ea", "#2e8b57"), ("#fbeaea", "#c0392b")
"""colours of background and mark of valid and of invalid strings"""
LETTER_WIDTH, LINE_HEIGHT, MARGIN, MARK_WIDTH = 11, 26, 10, 24
"""pixels of a sheet of strings: width of a letter, height of a line, margin of a string, width of its mark"""
PLOT_INCHES, DPI = (7.2, 4.8), 100
"""size of a plot of points on a line, in inches, and its pixels per inch"""
matplotlib_lock = Lock()
"""matplotlib's fonts are shared between figures and not thread-safe"""


def sheet(pictures: Pixels, columns: int | None = None, gap: int = 0) -> Pixels:
    """Arrange pictures [n, h, w, c] row by row in one picture, near-square by default.

    `gap` grey pixels separate them; empty cells are black.
    """
    n, height, width, channels = pictures.shape
    if n == 1 and columns in (None, 1):
        single: Pixels = pictures[0]
        return single
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cells = np.zeros((rows * columns, height + gap, width + gap, channels), pictures.dtype)
    grey = 1 << (bits_of(pictures) - 1)
    cells[:, height:], cells[:, :, width:] = grey, grey
    cells[:n, :height, :width] = pictures
    paper = cells.reshape(rows, columns, *cells.shape[1:]).swapaxes(1, 2)
    return paper.reshape(rows * (height + gap), -1, channels)[: -gap or None, : -gap or None]


def scatter(
    points: NDArray[Any], side: int, truth: NDArray[Any] | None = None, modes: NDArray[Any] | None = None
) -> Pixels:
    """Plot points [n, 2] in blue over true points in grey, with a ring around each true mode: [side, side, 3].

    Both axes have the same scale, and the origin is in the middle. Points that are not finite are left out.
    """
    layers = (
        [(points, f"{POINT_COLOUR}70")]
        if truth is None
        else [(truth, f"{TRUTH_COLOUR}40"), (points, f"{POINT_COLOUR}70")]
    )
    clouds = [(cloud[np.isfinite(cloud).all(axis=1)], colour) for cloud, colour in layers]
    rings = np.empty((0, 2)) if modes is None else modes
    reach = 1.1 * max(1e-6, *(float(np.abs(cloud).max(initial=0)) for cloud in (*(c for c, _ in clouds), rings)))
    canvas = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(canvas, "RGBA")
    pen.line((side // 2, 0, side // 2, side), fill="#dddddd")
    pen.line((0, side // 2, side, side // 2), fill="#dddddd")
    dot, ring = side / 200, side / 40
    for cloud, colour in clouds:
        for x, y in _to_pixels(cloud, reach, side):
            pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=colour)
    for x, y in _to_pixels(rings, reach, side):
        pen.ellipse((x - ring, y - ring, x + ring, y + ring), outline=MODE_COLOUR, width=max(1, side // 256))
    return np.asarray(canvas)


def _to_pixels(cloud: NDArray[Any], reach: float, side: int) -> NDArray[Any]:
    """Convert coordinates [n, 2] in [-reach, reach] to pixels of a square picture, with y upwards."""
    pixels: NDArray[Any] = (cloud * (1, -1) / reach + 1) / 2 * (side - 1)
    return pixels


def line_plot(
    points: NDArray[Any],
    x: Floats,
    truth: Floats | None = None,
    critic_curves: Mapping[str, Floats] | None = None,
    scale: int = 1,
) -> Pixels:
    """Plot points on a line [n] as a histogram over `x` [m], with the true density.

    `critic_curves` holds up to two curves over `x` with values in [0, 1], by name: the critic's and the optimal
    critic's. They are plotted below.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import, and few callers need it
    from matplotlib.figure import Figure

    with matplotlib_lock:
        figure = Figure(figsize=PLOT_INCHES, dpi=DPI * scale, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        if critic_curves:
            upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
            _plot_critic_curves(lower, x, critic_curves)
        else:
            lower = upper = figure.subplots()
        _plot_densities(upper, points, x, truth)
        lower.set(xlabel="x", xlim=(x[0], x[-1]))
        canvas.draw()  # type: ignore[no-untyped-call]
        buffer = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
        pixels: Pixels = np.asarray(buffer)[..., :3].copy()
    return pixels


def line_size(scale: int = 1) -> tuple[int, int]:
    """Return width and height of a `line_plot`, in pixels."""
    width, height = (round(inches * DPI) * scale for inches in PLOT_INCHES)
    return width, height


def _plot_densities(axes: "Axes", points: NDArray[Any], x: Floats, truth: Floats | None) -> None:
    if truth is not None:
        axes.plot(x, truth, color=INK, linewidth=2, zorder=3, label="$p_{data}$")
    inside = points[(points >= x[0]) & (points <= x[-1])]
    bars, edges = np.histogram(inside, bins=64, range=(x[0], x[-1]))
    heights = bars / max(1, len(points)) / (edges[1] - edges[0])
    axes.plot(x, kernel_density(points, x), color=POINT_COLOUR, linewidth=1.5, zorder=2, label="$p_g$, smoothed")
    label = f"$p_g$, of {len(points):,} points"
    axes.bar(
        edges[:-1], heights, np.diff(edges), align="edge", color=POINT_COLOUR, alpha=0.35, linewidth=0, label=label
    )
    axes.set(ylabel="density", ylim=(0, None))
    _style_axes(axes)


def _plot_critic_curves(axes: "Axes", x: Floats, curves: Mapping[str, Floats]) -> None:
    for (label, curve), colour, dashes in zip(curves.items(), (MODE_COLOUR, INK), ("-", "--"), strict=False):
        axes.plot(x, curve, color=colour, linestyle=dashes, linewidth=2, label=label)
    axes.axhline(0.5, color=TRUTH_COLOUR, linewidth=0.8)
    axes.set(ylabel="critic", ylim=(-0.03, 1.03), yticks=(0, 0.5, 1))
    _style_axes(axes)


def _style_axes(axes: "Axes") -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def text_sheet(strings: Sequence[str], valid: Sequence[bool] | None = None, scale: int = 1) -> Pixels:
    """Render strings of one length in columns, row by row; `valid` ones have a tick, others a cross."""
    width, height, columns = text_size(len(strings), len(strings[0]), scale)
    canvas = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(LETTER_WIDTH * 1.6 * scale)
    column_width = width // columns
    for index, string in enumerate(strings):
        left, top = index % columns * column_width, index // columns * LINE_HEIGHT * scale
        if valid is not None:
            _mark(pen, left, top, column_width, scale, valid[index])
        for number, letter in enumerate(string):
            middle = left + (MARGIN + (number + 0.5) * LETTER_WIDTH) * scale
            pen.text((middle, top + LINE_HEIGHT * scale / 2), letter, fill=INK, font=font, anchor="mm")
    return np.asarray(canvas)


def text_size(n: int, length: int, scale: int = 1) -> tuple[int, int, int]:
    """Return width and height in pixels, and the columns, of a near-square sheet of n strings."""
    column_width = 2 * MARGIN + length * LETTER_WIDTH + MARK_WIDTH
    columns = min(n, max(1, round(math.sqrt(n * LINE_HEIGHT / column_width))))
    return columns * column_width * scale, -(-n // columns) * LINE_HEIGHT * scale, columns


def _mark(pen: ImageDraw.ImageDraw, left: int, top: int, column_width: int, scale: int, valid: bool) -> None:
    paper, colour = VALID_COLOURS if valid else INVALID_COLOURS
    edge = scale
    pen.rectangle(
        (left + edge, top + edge, left + column_width - 2 * edge, top + LINE_HEIGHT * scale - 2 * edge), fill=paper
    )
    x, y, arm = left + column_width - (MARGIN + 8) * scale, top + LINE_HEIGHT * scale // 2, 4 * scale
    if valid:
        pen.line((x - arm, y, x - arm // 3, y + arm, x + arm, y - arm), fill=colour, width=2 * scale, joint="curve")
    else:
        pen.line((x - arm, y - arm, x + arm, y + arm), fill=colour, width=2 * scale)
        pen.line((x - arm, y + arm, x + arm, y - arm), fill=colour, width=2 * scale)


def animate(frames: Pixels, format: Literal["WEBP", "PNG"], frame_ms: int) -> bytes:
    """Encode frames [n, h, w, c], c = 1 or 3, as an endless animation, lossless at 8 bits: animated WebP or APNG."""
    frames = to_bits(frames, 8)
    images = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in frames]
    options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {"compress_level": 1}
    out = io.BytesIO()
    first, *others = images
    first.save(out, format, save_all=True, append_images=others, duration=frame_ms, loop=0, **options)
    return out.getvalue()


def encode(pixels: Pixels, format: str = "PNG", **options: Any) -> bytes:
    """Encode pixels [h, w, c] as a file, c = 1 to 4 (grey or colour, with or without alpha), deterministically.

    Pixels of 16 bits keep them in a PNG; in other formats they have 8.
    """
    if bits_of(pixels) > 8 and format == "PNG":
        return deep_png.encode(pixels)
    pixels = to_bits(pixels, 8)
    squeezed = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(squeezed)).save(out, format, **options)
    return out.getvalue()
