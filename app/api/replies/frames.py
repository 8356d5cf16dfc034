"""Encode the frames of an interpolation: a strip, an animation, files, or JSON."""

from collections.abc import Mapping

from app.api.deps import negotiate
from app.api.replies import images
from app.api.replies.rendering import Rendering
from app.core.errors import FieldError, Invalid
from app.core.limits import MAX_ANIMATION_PIXELS
from data.images import animate
from data.png_text import with_text
from forger.schemas.interpolations import Format
from forger.wire import PNG_KEYWORD
from models.spec import data as spec
from models.spec.data import DataSpec

MEDIA: Mapping[str, Format] = {
    "image/png": "png",
    "image/webp": "webp",
    "image/apng": "apng",
    "application/zip": "zip",
    "application/json": "json",
}
MEDIA_OF: Mapping[Format, str] = {format_: media for media, format_ in MEDIA.items()}
ANIMATIONS: tuple[Format, ...] = ("webp", "apng")


def choose_format(requested: Format | None, accept: str | None, data: DataSpec) -> Format:
    """Return the requested format, or the one that Accept prefers. Raises Invalid, NotAcceptable."""
    moves = not isinstance(data, spec.Points | spec.Sequences)
    possible = tuple(format_ for format_ in MEDIA_OF if moves or format_ not in ANIMATIONS)
    if requested is None:
        return MEDIA[negotiate(accept, tuple(MEDIA_OF[format_] for format_ in possible))]
    if requested not in possible:
        sentence = f"Only pictures move: this model's {data.kind} cannot be sent as {requested}; request png or json."
        raise Invalid(sentence, code="no_such_format", errors=(FieldError("/format", sentence),))
    return requested


def require_animation_room(data: DataSpec, frames: int, scale: int) -> None:
    """Raise Invalid if the frames of an animation have too many pixels."""
    pixels = frames * (getattr(data, "side", 0) * scale) ** 2
    if pixels > MAX_ANIMATION_PIXELS:
        sentence = (
            f"{frames} frames have {pixels} pixels; an animation has at most {MAX_ANIMATION_PIXELS} "
            "(animation_pixels). Request fewer frames, or a smaller scale."
        )
        raise Invalid(sentence, code="too_much", errors=(FieldError("/frames", sentence),))


def encode(drawing: Rendering, format_: Format, frame_ms: int, text: str) -> bytes:
    """Encode the frames; a PNG and an APNG carry `text`."""
    match format_:
        case "webp":
            return animate(drawing.array(), "WEBP", frame_ms)
        case "apng":
            return with_text(animate(drawing.array(), "PNG", frame_ms), PNG_KEYWORD, text)
        case "png":
            return images.png(drawing.picture(), text)
        case _:
            return drawing.encode(format_)
