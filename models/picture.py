"""Pictures of pictures and of points, as arrays and as files. Knows no torch."""

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]


def sheet(pictures: Pixels, columns: int | None = None, gap: int = 0) -> Pixels:
    """[n, h, w, c] row by row in one picture; near-square unless told, `gap` grey pixels apart, blanks black."""
    n, height, width, channels = pictures.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cells = np.zeros((rows * columns, height + gap, width + gap, channels), np.uint8)
    cells[:, height:], cells[:, :, width:] = 128, 128
    cells[:n, :height, :width] = pictures
    paper = cells.reshape(rows, columns, *cells.shape[1:]).swapaxes(1, 2)
    return paper.reshape(rows * (height + gap), -1, channels)[: -gap or None, : -gap or None]


def scatter(points: NDArray[Any], side: int, truth: NDArray[Any] | None = None) -> Pixels:
    """Points [n, 2] in blue, over true ones in grey; axes equal, the origin in the middle; [side, side, 3]."""
    layers = [(points, "#1f5fbf70")] if truth is None else [(truth, "#96969640"), (points, "#1f5fbf70")]
    clouds = [(cloud[np.isfinite(cloud).all(axis=1)], colour) for cloud, colour in layers]
    reach = 1.1 * max(1e-6, *(float(np.abs(cloud).max(initial=0)) for cloud, _ in clouds))
    canvas = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(canvas, "RGBA")
    pen.line((side // 2, 0, side // 2, side), fill="#dddddd")
    pen.line((0, side // 2, side, side // 2), fill="#dddddd")
    dot = side / 200
    for cloud, colour in clouds:
        for x, y in (cloud * (1, -1) / reach + 1) / 2 * (side - 1):
            pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=colour)
    return np.asarray(canvas)


def encode(pixels: Pixels, format: str = "PNG", **options: Any) -> bytes:
    """[h, w, c] as a file, c = 1 to 4 (grey or colour, with or without alpha); the same pixels give the same bytes."""
    squeezed = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(squeezed)).save(out, format, **options)
    return out.getvalue()
