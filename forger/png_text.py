"""Read the recipe in a PNG of /sample or /translate, with the standard library alone."""

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from forger.wire import PNG_KEYWORD

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">I4s")
"""head of a chunk: the number of its bytes, and its type"""
_CRC = struct.Struct(">I")
MAX_CHUNKS = 10_000
"""most chunks that are read"""
MAX_TEXT_BYTES = 4096
"""most bytes of a text; a longer one is skipped"""


def picture_recipe(picture: str | Path | bytes) -> dict[str, Any] | None:
    """Return the recipe in a PNG (its path or its bytes): model, seed, class and so on. Return None if it has none.

    Other files and damaged ones have none. Raises OSError if the file cannot be read.

    >>> forger.picture_recipe("sevens.png")["seed"]
    """
    if isinstance(picture, bytes):
        return _recipe(io.BytesIO(picture))
    with Path(picture).open("rb") as file:
        return _recipe(file)


def _recipe(file: BinaryIO) -> dict[str, Any] | None:
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        return None
    size = file.seek(0, io.SEEK_END)
    at = len(_SIGNATURE)
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        length, kind = _HEAD.unpack(head)
        at += _HEAD.size + length + _CRC.size
        if at > size:
            return None
        if kind == b"tEXt" and length <= MAX_TEXT_BYTES:
            recipe = _parsed(kind, file.read(length), file.read(_CRC.size))
            if recipe is not None:
                return recipe
    return None


def _parsed(kind: bytes, content: bytes, crc: bytes) -> dict[str, Any] | None:
    """Return the recipe in a chunk; None if it is another text or damaged."""
    keyword, _, text = content.partition(b"\0")
    if keyword != PNG_KEYWORD.encode() or _CRC.pack(zlib.crc32(kind + content)) != crc:
        return None
    try:
        recipe = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) else None
