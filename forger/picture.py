"""A picture that the service drew, with its response headers."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from httpx2 import Response

from forger.files import write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

PNG = "image/png"


@dataclass(frozen=True, slots=True)
class Picture:
    """A reply's bytes. `model` is name@version; the same model, seed and class give the same bytes again."""

    data: bytes = field(repr=False)
    media_type: str
    model: str | None = None
    seed: int | None = None
    class_: str | None = None
    note: str | None = None
    """what the service has to say about a translation"""
    health: str | None = None
    """what is known of the model's training, as `troubled; kind=collapse; step=400`; None where nothing is"""

    @classmethod
    def of(cls, reply: Response) -> "Picture":
        said = reply.headers
        seed = said.get("x-forger-seed")
        return cls(
            data=reply.content,
            media_type=said.get("content-type", "").partition(";")[0],
            model=said.get("x-forger-model"),
            seed=None if seed is None else int(seed),
            class_=said.get("x-forger-class"),
            note=said.get("forger-note"),
            health=said.get("forger-health"),
        )

    def save(self, path: str | Path) -> Path:
        """Writes the file whole or not at all."""
        write_whole(Path(path), [self.data])
        return Path(path)

    def image(self) -> "Image":
        """Open it with Pillow; the media type must be a picture's. Raises ModuleNotFoundError without Pillow.

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
        """Strings, a line each, where the model learned strings; or JSON, where that was asked for."""
        return self.data.decode()

    def _repr_png_(self) -> bytes | None:
        return self.data if self.media_type == PNG else None


def bytes_of(picture: "str | Path | bytes | Image") -> bytes:
    """Return a file's bytes: of a path, as they are, or of a picture of Pillow's as PNG."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | Path):
        return Path(picture).read_bytes()
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
