"""Decode the names of a zip's members, whichever way they were written, and sort them naturally.

A zip says of a name that it is UTF-8, or brings it as UTF-8 beside the old one (Info-ZIP's extra field 0x7075), or says
nothing: then one encoding is guessed for all such names of the archive.
"""

import re
import struct
import unicodedata
import zlib
from collections.abc import Sequence
from typing import NamedTuple
from zipfile import ZipInfo

ENCODINGS = ("utf-8", "cp437", "cp932", "gb18030", "euc_kr")
"""that are guessed, the first of equally likely ones"""


_UTF8, _UNICODE_PATH = 0x800, 0x7075


_EXTRA = struct.Struct("<HH")


_LETTERS = ("LATIN", "HIRAGANA", "KATAKANA", "HANGUL", "CJK UNIFIED", "CYRILLIC", "GREEK", "FULLWIDTH")


class DecodedNames(NamedTuple):
    """The names in their order, and the encoding that was guessed for some of them."""

    paths: list[str]
    guessed: str | None


def decode_names(infos: Sequence[ZipInfo]) -> DecodedNames:
    said = [_stated_name(info) for info in infos]
    legacy = [info.filename.encode("cp437") for info, name in zip(infos, said, strict=True) if name is None]
    encoding = _guess(legacy) if legacy else None
    paths = [
        info.filename.encode("cp437").decode(encoding) if name is None and encoding else name or ""
        for info, name in zip(infos, said, strict=True)
    ]
    return DecodedNames([unicodedata.normalize("NFC", path) for path in paths], encoding)


def _stated_name(info: ZipInfo) -> str | None:
    """The name where the zip says how it is written; None where that has to be guessed."""
    if info.flag_bits & _UTF8 or info.filename.isascii():
        return _unicode_path(info) or info.filename
    return _unicode_path(info)


def _unicode_path(info: ZipInfo) -> str | None:
    """Of Info-ZIP's extra field, where it was made for this name and not for an older one."""
    place, extra = 0, info.extra
    while place + _EXTRA.size <= len(extra):
        kind, size = _EXTRA.unpack_from(extra, place)
        field = extra[place + _EXTRA.size : place + _EXTRA.size + size]
        place += _EXTRA.size + size
        if kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1:
            original = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
            if struct.unpack_from("<I", field, 1)[0] == zlib.crc32(original):
                return _decoded(field[5:], "utf-8")
    return None


def _guess(names: Sequence[bytes]) -> str:
    """The encoding under which most of these names' characters are letters that belong together."""
    return max(ENCODINGS, key=lambda encoding: (_likelihood(names, encoding), -ENCODINGS.index(encoding)))


def _likelihood(names: Sequence[bytes], encoding: str) -> float:
    """The share of letters among characters beyond ASCII; below 0 where a name cannot be read.

    UTF-8 is not read by chance, nor are kana, nor Hangul alone. Half-width and private characters are what text of
    another encoding turns into.
    """
    decoded = [_decoded(name, encoding) for name in names]
    if None in decoded:
        return -1.0
    if encoding == "utf-8":
        return 3.0
    told = [unicodedata.name(character, "") for name in decoded for character in name or "" if not character.isascii()]
    letters = sum(name.startswith(_LETTERS) for name in told) / max(1, len(told))
    kana = encoding == "cp932" and any(name.startswith(("HIRAGANA", "KATAKANA")) for name in told)
    hangul = encoding == "euc_kr" and all(name.startswith("HANGUL") for name in told)
    return letters + (kana or hangul)


def _decoded(name: bytes, encoding: str) -> str | None:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return None


_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[object, ...]:
    """s2 before s10; capitals do not matter unless nothing else differs."""
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name.casefold())), name)
