"""Represent a picture of the service, with the facts of its reply's headers."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from httpx2 import Response

from forger.files import require_ending, write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

PNG = "image/png"
ENDINGS = {
    PNG: ("png",),
    "image/apng": ("apng", "png"),
    "image/jpeg": ("jpg", "jpeg"),
    "image/webp": ("webp",),
    "application/json": ("json",),
    "application/x-npy": ("npy",),
    "application/zip": ("zip",),
    "text/plain": ("txt",),
}
"""endings of files by the media type of their bytes"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A reply's bytes. `model` is name@version; the same model, seed and class give the same bytes again."""

    data: bytes = field(repr=False)
    media_type: str
    model: str | None = None
    seed: int | None = None
    class_: str | None = None
    note: str | None = None
    """the service's notes on a translation"""
    health: str | None = None
    """health of the model's training, such as `troubled; kind=collapse; step=400`; None if unknown"""

    @classmethod
    def of(cls, reply: Response) -> "Picture":
        headers = reply.headers
        seed = headers.get("x-forger-seed")
        return cls(
            data=reply.content,
            media_type=headers.get("content-type", "").partition(";")[0],
            model=headers.get("x-forger-model"),
            seed=None if seed is None else int(seed),
            class_=headers.get("x-forger-class"),
            note=headers.get("forger-note"),
            health=headers.get("forger-health"),
        )

    def save(self, path: str | Path) -> Path:
        """Write the file whole or not at all. Raises ValueError for a name with the ending of another format.

        To get another format, request it: `forger.sample(format="webp")`.
        """
        file = Path(path)
        if self.media_type in ENDINGS:
            require_ending(file, ENDINGS[self.media_type])
        write_whole(file, [self.data])
        return file

    def image(self) -> "Image":
        """Open the picture with Pillow; the media type must be a picture's. Raises ModuleNotFoundError without Pillow.

        >>> forger.sample(class_=7).image().show()
        """
        try:
            from PIL import Image
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "Picture.image() needs Pillow: install it with `pip install pillow`, or write the file with "
                "Picture.save().",
                name=error.name,
            ) from error

        return Image.open(io.BytesIO(self.data))

    def text(self) -> str:
        """Return the data as text: strings, one per line, of a model of strings; or JSON, if it was requested."""
        return self.data.decode()

    def _repr_png_(self) -> bytes | None:
        return self.data if self.media_type == PNG else None


def bytes_of(picture: "str | Path | bytes | Image") -> bytes:
    """Return a file's bytes: of a path, as they are, or of a Pillow image as PNG."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | Path):
        return Path(picture).read_bytes()
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
