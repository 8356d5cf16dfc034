"""Pictures of pictures: sheets and scatter plots, as Pillow images. Knows no torch."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]


def picture(pixels: Pixels) -> Image.Image:
    """[h, w, c] uint8, c = 1, 3 or 4, as a Pillow image."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def sheet(pixels: Pixels, columns: int, gap: int = 1) -> Image.Image:
    """[n, h, w, c] uint8 laid out row by row, `gap` pixels apart on grey."""
    n, height, width, channels = pixels.shape
    rows = -(-n // columns)
    paper = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 128, np.uint8)
    for i, tile in enumerate(pixels):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        paper[top : top + height, left : left + width] = tile
    return picture(paper)


def scatter(points: NDArray[np.float32], truth: NDArray[np.float32] | None = None, side: int = 512) -> Image.Image:
    """Points [n, 2] in blue over the true ones in grey, axes equal, the origin in the middle."""
    everything = points if truth is None else np.concatenate([points, truth])
    reach = float(np.abs(everything[np.isfinite(everything).all(axis=1)]).max(initial=1.0)) * 1.1
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image, "RGBA")
    for cloud, colour in ((truth, (150, 150, 150, 60)), (points, (31, 90, 200, 110))):
        if cloud is None:
            continue
        places = (cloud * [1, -1] / reach + 1) * side / 2
        for x, y in places[np.isfinite(places).all(axis=1)]:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
    return image


def encode(image: Image.Image, format: str = "PNG") -> bytes:
    """The image's file as bytes; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()
