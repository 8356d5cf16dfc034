"""Picture files read as arrays."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels(picture: str | bytes) -> NDArray[Any]:
    """Return the levels of a picture file, given as bytes or as base64: [h, w] or [h, w, channels]."""
    data = base64.b64decode(picture) if isinstance(picture, str) else picture
    return np.asarray(Image.open(io.BytesIO(data)))
