"""Find the weights in the ZIP that Forger writes when it exports a model."""

import zipfile
import zlib
from pathlib import Path

from data.errors import Refused
from models.spec.portable import SUFFIXES

WEIGHTS = "weights.safetensors"
MAX_RATIO = 10
"""times that an unpacked file may be larger than the ZIP: weights hardly compress"""
CODE = "unusable_export"
"""error code of an export that cannot become a model"""
_OTHER_PROGRAMS = tuple(suffix for format_, suffix in SUFFIXES.items() if format_ != "safetensors")


def weights_of(path: Path) -> bytes | None:
    """Return the safetensors file in the ZIP of an export; None if the file is no ZIP, or one of torch.save.

    Raises Refused for any other ZIP.
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if any(name.endswith("/data.pkl") for name in names):
                return None
            if WEIGHTS not in names:
                raise Refused(_without_weights(names), CODE)
            if archive.getinfo(WEIGHTS).file_size > MAX_RATIO * path.stat().st_size:
                raise Refused(
                    f"{WEIGHTS} is more than {MAX_RATIO} times larger than its ZIP: send it alone.", "too_large"
                )
            return archive.read(WEIGHTS)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError, OSError) as error:
        raise Refused(f"The ZIP cannot be read: {error}. Export the model again.", CODE) from error


def _without_weights(names: list[str]) -> str:
    if program := next((name for name in names if name.endswith(_OTHER_PROGRAMS)), None):
        return f"The ZIP holds '{program[:80]}', which only other programs run: export the model as safetensors."
    return f"The ZIP holds no {WEIGHTS}, as an export of Forger does: unpack it, and send the file of weights."
