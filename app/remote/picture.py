"""A picture that the service drew, with its response headers."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from httpx2 import Response

from app.remote.files import write_whole

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
        """For Pillow; the media type must be a picture's."""
        from PIL import Image

        return Image.open(io.BytesIO(self.data))

    def text(self) -> str:
        """Strings, a line each, where the model learned strings; or JSON, where that was asked for."""
        return self.data.decode()

    def _repr_png_(self) -> bytes | None:
        return self.data if self.media_type == PNG else None
