"""Decode the names of a zip's members, and sort names in natural order.

A zip marks a name as UTF-8, or adds a copy in UTF-8 (Info-ZIP's extra field 0x7075), or states nothing: then one
encoding is guessed for all such names of the archive.
"""

import re
import struct
import unicodedata
import zlib
from collections.abc import Sequence
from typing import NamedTuple
from zipfile import ZipInfo

ENCODINGS = ("utf-8", "cp437", "cp932", "gb18030", "euc_kr")
"""encodings that may be guessed; of equally likely ones the first is chosen"""
_UTF8, _UNICODE_PATH = 0x800, 0x7075
_EXTRA = struct.Struct("<HH")
_LETTERS = ("LATIN", "HIRAGANA", "KATAKANA", "HANGUL", "CJK UNIFIED", "CYRILLIC", "GREEK", "FULLWIDTH")


class DecodedNames(NamedTuple):
    """Decoded names in order, and the encoding that was guessed for some of them."""

    paths: list[str]
    guessed: str | None


def decode_names(infos: Sequence[ZipInfo]) -> DecodedNames:
    """Decode the names of all members, in NFC."""
    stated = [_stated_name(info) for info in infos]
    legacy = [info.filename.encode("cp437") for info, name in zip(infos, stated, strict=True) if name is None]
    encoding = _guess(legacy) if legacy else None
    paths = [
        info.filename.encode("cp437").decode(encoding) if name is None and encoding else name or ""
        for info, name in zip(infos, stated, strict=True)
    ]
    return DecodedNames([unicodedata.normalize("NFC", path) for path in paths], encoding)


def _stated_name(info: ZipInfo) -> str | None:
    """Return the name if the zip states its encoding, else None."""
    if info.flag_bits & _UTF8 or info.filename.isascii():
        return _unicode_path(info) or info.filename
    return _unicode_path(info)


def _unicode_path(info: ZipInfo) -> str | None:
    """Return the name of Info-ZIP's extra field, if its checksum matches the member's name."""
    offset, extra = 0, info.extra
    while offset + _EXTRA.size <= len(extra):
        kind, size = _EXTRA.unpack_from(extra, offset)
        field = extra[offset + _EXTRA.size : offset + _EXTRA.size + size]
        offset += _EXTRA.size + size
        if kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1:
            original = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
            if struct.unpack_from("<I", field, 1)[0] == zlib.crc32(original):
                return _decoded(field[5:], "utf-8")
    return None


def _guess(names: Sequence[bytes]) -> str:
    """Return the most likely encoding of these names."""
    return max(ENCODINGS, key=lambda encoding: (_likelihood(names, encoding), -ENCODINGS.index(encoding)))


def _likelihood(names: Sequence[bytes], encoding: str) -> float:
    """Return the share of letters among non-ASCII characters, plus a bonus; below 0 if a name cannot be decoded.

    The bonus is for valid UTF-8, kana, and Hangul without other letters, which hardly occur by chance. Half-width and
    private characters, which result from decoding text of another encoding, do not count as letters.
    """
    decoded = [_decoded(name, encoding) for name in names]
    if None in decoded:
        return -1.0
    if encoding == "utf-8":
        return 3.0
    character_names = [
        unicodedata.name(character, "") for name in decoded for character in name or "" if not character.isascii()
    ]
    letters = sum(name.startswith(_LETTERS) for name in character_names) / max(1, len(character_names))
    kana = encoding == "cp932" and any(name.startswith(("HIRAGANA", "KATAKANA")) for name in character_names)
    hangul = encoding == "euc_kr" and all(name.startswith("HANGUL") for name in character_names)
    return letters + (kana or hangul)


def _decoded(name: bytes, encoding: str) -> str | None:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return None


_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[object, ...]:
    """Return a sort key: s2 before s10; case matters only if nothing else differs."""
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name.casefold())), name)
