"""Send pictures to a model: the part of Forger that enlarges, completes and describes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from forger.connection import UPLOAD_TIMEOUT, Connection
from forger.picture import Picture, bytes_of
from forger.schemas.features import FeaturesOut
from forger.schemas.inversion import InpaintingOut

if TYPE_CHECKING:
    from PIL.Image import Image

PictureFormat = Literal["png", "jpeg", "webp"]
"""formats of a reply with one picture"""


def file_part(picture: "str | Path | bytes | Image") -> tuple[str, bytes, str]:
    """Return a picture as a file of a form: a path, a file's bytes, or a Pillow image."""
    return "picture", bytes_of(picture), "application/octet-stream"


class PictureRequests:
    """The methods of Forger that send pictures to a model."""

    _connection: Connection

    def inpaint(
        self,
        picture: "str | Path | bytes | Image",
        mask: "str | Path | bytes | Image",
        *,
        model: str | None = None,
        format: PictureFormat = "png",
        quality: int | None = None,
        class_: int | str | None = None,
        seed: int | None = None,
        steps: int | None = None,
        restarts: int | None = None,
        feature_weight: float | None = None,
    ) -> Picture:
        """Fill a picture where the mask, a picture of the same size, is white. As a PNG, all else stays as it is.

        A model that generates pictures from latents is searched as by `invert`, and returns the picture at its own
        side; `class_` and the fields after it are for such a model. `quality`, 1 to 100, is for JPEG and WebP.

        >>> forger.inpaint("photo.png", "mask.png", model="inpaint-digits").save("whole.png")
        >>> forger.inpaint("seven.png", "mask.png", model="cdcgan-digits", class_=7).save("whole.png")
        """
        files = {"file": file_part(picture), "mask": file_part(mask)}
        search = {"class": class_, "seed": seed, "steps": steps, "restarts": restarts, "feature_weight": feature_weight}
        return self._drawn("/inpaint", files, format, model=model, quality=quality, **search)

    def inpainting(
        self,
        picture: "str | Path | bytes | Image",
        mask: "str | Path | bytes | Image",
        *,
        model: str,
        class_: int | str | None = None,
        seed: int | None = None,
        steps: int | None = None,
        restarts: int | None = None,
        feature_weight: float | None = None,
    ) -> InpaintingOut:
        """Fill a picture as `inpaint` does by a model that generates; return the latent and its picture too.

        >>> found = forger.inpainting("seven.png", "mask.png", model="cdcgan-digits")
        >>> forger.decode(found.latents, model=found.model, classes=found.classes).save("whole-sample.png")
        """
        search = {"class": class_, "seed": seed, "steps": steps, "restarts": restarts, "feature_weight": feature_weight}
        sent = {
            "data": _without_none({"model": model, **search}),
            "files": {"file": file_part(picture), "mask": file_part(mask)},
            "headers": {"Accept": "application/json"},
            "timeout": UPLOAD_TIMEOUT,
        }
        return self._connection.read(InpaintingOut, "/inpaint", "POST", **sent)

    def upscale(
        self,
        picture: "str | Path | bytes | Image",
        *,
        model: str | None = None,
        format: PictureFormat = "png",
        quality: int | None = None,
    ) -> Picture:
        """Enlarge a picture, two or four times a side, as the model was trained to.

        `quality`, 1 to 100, is for JPEG and WebP.

        >>> forger.upscale("small.png", model="srgan-digits").save("large.png")
        """
        return self._drawn("/upscale", {"file": file_part(picture)}, format, model=model, quality=quality)

    def features(self, pictures: "Sequence[str | Path | bytes | Image]", *, model: str | None = None) -> FeaturesOut:
        """Compute the features of up to 64 pictures: the code of an encoder, or the last hidden layer of a critic.

        >>> forger.features(["one.png", "two.png"], model="dcgan-digits").features
        """
        return FeaturesOut.model_validate_json(self._features(pictures, model=model, format="json"))

    def features_npz(self, pictures: "Sequence[str | Path | bytes | Image]", *, model: str | None = None) -> bytes:
        """Compute features as a file for NumPy: np.load(io.BytesIO(data))["features"] is float32 [pictures, size]."""
        return self._features(pictures, model=model, format="npz")

    def _features(self, pictures: "Sequence[str | Path | bytes | Image]", **fields: str | None) -> bytes:
        files = [("file", file_part(picture)) for picture in pictures]
        return self._connection.request("POST", "/features", data=_without_none(fields), files=files).content

    def _drawn(self, path: str, files: dict[str, Any], format: PictureFormat, **fields: Any) -> Picture:
        """Send pictures and fields, without those that are None; return the picture of the reply."""
        headers = {"Accept": f"image/{format}"}
        # The parts of a search may wait behind others, for a minute each.
        sent = {"data": _without_none(fields), "files": files, "headers": headers, "timeout": UPLOAD_TIMEOUT}
        return Picture.of(self._connection.request("POST", path, **sent))


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
