"""Pictures of 16 bits a sample, in grey and in colour: Pillow holds grey ones only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from data.levels import Pixels, bits_of, to_bits

FULL = 65535
_MODES = ("L", "LA", "RGB", "RGBA")
_LUMA_WEIGHTS = np.array([19595, 38470, 7471], np.uint32)
"""65536 times the weights of red, green and blue in grey, as Pillow has them"""
_TURNS: dict[Image.Transpose, Callable[[Pixels], Pixels]] = {
    Image.Transpose.FLIP_LEFT_RIGHT: lambda samples: samples[:, ::-1],
    Image.Transpose.FLIP_TOP_BOTTOM: lambda samples: samples[::-1],
    Image.Transpose.ROTATE_90: np.rot90,
    Image.Transpose.ROTATE_180: lambda samples: np.rot90(samples, 2),
    Image.Transpose.ROTATE_270: lambda samples: np.rot90(samples, 3),
    Image.Transpose.TRANSPOSE: lambda samples: samples.swapaxes(0, 1),
    Image.Transpose.TRANSVERSE: lambda samples: np.rot90(samples, 2).swapaxes(0, 1),
}


@dataclass(frozen=True, eq=False)
class DeepImage:
    """A picture of samples uint16 [h, w, c], of mode L, LA, RGB or RGBA, with the methods of Pillow's that we use."""

    samples: Pixels

    @classmethod
    def of(cls, image: "AnyImage") -> "DeepImage":
        """Return an image of mode L, LA, RGB or RGBA with 16 bits a sample."""
        return image if isinstance(image, DeepImage) else cls(to_bits(pixels_of(image), 16))

    @property
    def mode(self) -> str:
        return _MODES[self.samples.shape[2] - 1]

    @property
    def width(self) -> int:
        return self.size[0]

    @property
    def height(self) -> int:
        return self.size[1]

    @property
    def size(self) -> tuple[int, int]:
        height, width, _ = self.samples.shape
        return width, height

    def crop(self, box: tuple[int, int, int, int]) -> "DeepImage":
        left, top, right, bottom = box
        return DeepImage(self.samples[top:bottom, left:right])

    def transpose(self, method: Image.Transpose) -> "DeepImage":
        return DeepImage(_TURNS[method](self.samples))

    def resize(self, size: tuple[int, int], resample: Image.Resampling) -> "DeepImage":
        """Resize each channel by Pillow's filter in float32, which holds all 16 bits, and round."""
        if size == self.size:
            return self
        channels = np.moveaxis(self.samples, 2, 0).astype(np.float32)
        resized = np.stack([np.asarray(Image.fromarray(channel).resize(size, resample)) for channel in channels], 2)
        return DeepImage(np.clip(np.rint(resized), 0, FULL).astype(np.uint16))

    def convert(self, mode: str) -> "DeepImage":
        """Convert the colours to mode L or RGB; alpha is dropped."""
        colour = self._colour
        if mode == "L" and colour.shape[2] == 3:
            grey = (colour @ _LUMA_WEIGHTS + np.uint32(1 << 15)) >> 16
            return DeepImage(grey[..., None].astype(np.uint16))
        return DeepImage(colour.repeat(3, axis=2) if mode == "RGB" and colour.shape[2] == 1 else colour)

    def on_white(self) -> "DeepImage":
        """Blend the picture with white by its alpha, if it has one."""
        if self.alpha is None:
            return self
        alpha = self.alpha.astype(np.uint64)
        blended = (self._colour * alpha + FULL * (FULL - alpha) + FULL // 2) // FULL
        return DeepImage(blended.astype(np.uint16))

    def on_square(self, side: int, corner: tuple[int, int]) -> "DeepImage":
        """Put the picture onto a white square; `corner` is its left and its top edge there."""
        left, top = corner
        paper = np.full((side, side, self.samples.shape[2]), FULL, np.uint16)
        paper[top : top + self.height, left : left + self.width] = self.samples
        return DeepImage(paper)

    def with_alpha(self, alpha: Pixels) -> "DeepImage":
        """Return the colours with this alpha channel [h, w, 1]."""
        return DeepImage(np.concatenate([self._colour, alpha], axis=2))

    @property
    def alpha(self) -> Pixels | None:
        """The alpha channel [h, w, 1], or None."""
        return self.samples[..., -1:] if self.mode.endswith("A") else None

    @property
    def _colour(self) -> Pixels:
        return self.samples[..., :-1] if self.mode.endswith("A") else self.samples


AnyImage = Image.Image | DeepImage


def resized(pixels: Pixels, size: tuple[int, int], resample: Image.Resampling) -> Pixels:
    """Resize levels [h, w, c] of 8 or 16 bits to a width and a height."""
    return pixels_of(image_of(pixels).resize(size, resample))


def image_of(pixels: Pixels) -> AnyImage:
    """Return the image of levels [h, w, c] of 8 or 16 bits."""
    if bits_of(pixels) > 8:
        return DeepImage(pixels)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def pixels_of(image: AnyImage) -> Pixels:
    """Return the levels [h, w, c] of an image of mode L, LA, RGB or RGBA."""
    if isinstance(image, DeepImage):
        return image.samples
    return np.asarray(image).reshape(image.height, image.width, -1)
