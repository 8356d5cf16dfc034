"""Strip metadata from picture files before they are decoded, so that damaged metadata cannot make them unreadable.

`strip_metadata` keeps the parts of a file that hold its pixels unchanged, so that damage to them is still detected. It
returns the metadata that changes how the pixels look: colour profile, orientation and transparent level.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

PNG, RIFF = b"\x89PNG\r\n\x1a\n", b"RIFF"
MAX_PROFILE_BYTES = 16 << 20
"""most bytes of a colour profile, unpacked"""
_ORIENTATION = 0x0112


@dataclass
class StrippedFile:
    """A file without its metadata.

    `profile` is its ICC profile. `orientation` is EXIF's, 1 to 8. `level` is the transparent colour of a PNG: a sample
    of `depth` bits for each channel. `skipped` describes damaged metadata that was left out.
    """

    data: bytes
    profile: bytes | None = None
    orientation: int = 1
    level: tuple[int, ...] | None = None
    depth: int = 8
    skipped: list[str] = field(default_factory=list)


class Damaged(Exception):
    """The error of a file whose pixels are damaged."""


def strip_metadata(data: bytes) -> StrippedFile:
    """Strip a file's metadata. Unknown files stay unchanged: their decoder reports the problem. Raises Damaged."""
    file = StrippedFile(data)
    strip = _stripper(data)
    if strip is not None:
        try:
            strip(data, file)
        except (struct.error, IndexError, ValueError):  # truncated: the decoder reports it
            return StrippedFile(data)
    return file


def _stripper(data: bytes) -> Callable[[bytes, StrippedFile], None] | None:
    if data.startswith(PNG):
        return _png
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if data.startswith(RIFF) and data[8:12] == b"WEBP":
        return _webp
    if data[4:8] == b"ftyp":
        return _boxes
    return _tiff if data[:4] in _TIFF else None


# ---- PNG

_KEPT = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))


def _png(data: bytes, file: StrippedFile) -> None:
    """Keep critical chunks, and tRNS of palettes; read tRNS, iCCP and eXIf; skip all other ancillary chunks."""
    kept, colour = [PNG], -1
    for kind, body, chunk, crc in _chunks(data):
        if kind == b"IHDR":
            file.depth, colour = body[8], body[9]
        if not kind[0] & 0x20:
            if crc != zlib.crc32(kind + body):
                raise Damaged(f"the checksum of {_chunk_name(kind)} is wrong")
            kept.append(chunk)
        elif crc != zlib.crc32(kind + body):
            file.skipped.append(f"{_chunk_name(kind)} (its checksum is wrong)")
        elif kind == b"tRNS" and colour == 3:
            kept.append(chunk)
        elif kind == b"tRNS":
            file.level = _level(body, colour, file)
        elif kind == b"iCCP":
            file.profile = _unpacked_profile(body, file)
        elif kind == b"eXIf":
            file.orientation = _orientation(body, "eXIf", file)
        elif kind in _LENGTHS and len(body) not in _LENGTHS[kind]:
            file.skipped.append(f"{_chunk_name(kind)} (it has {len(body)} bytes)")
    file.data = b"".join(kept)


_LENGTHS = {b"cHRM": (32,), b"gAMA": (4,), b"pHYs": (9,), b"sRGB": (1,), b"tIME": (7,), b"bKGD": (1, 2, 6)}


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes, int]]:
    """Yield each chunk's kind, body, complete bytes and stored checksum."""
    offset = len(PNG)
    while offset + 8 <= len(data):
        (size,), kind = struct.unpack_from(">I", data, offset), data[offset + 4 : offset + 8]
        chunk = data[offset : offset + 12 + size]
        body = chunk[8 : 8 + size]
        if len(chunk) < 12 + size:  # truncated: the rest may be enough for the decoder
            yield kind, body, chunk, zlib.crc32(kind + body)
            return
        yield kind, body, chunk, int.from_bytes(chunk[-4:])
        offset += 12 + size
        if kind == b"IEND":
            return


def _level(body: bytes, colour: int, file: StrippedFile) -> tuple[int, ...] | None:
    """Return the transparent colour in a tRNS chunk: one sample for colour type 0 (grey), three for 2 (RGB)."""
    samples = {0: 1, 2: 3}.get(colour, 0)
    if len(body) < 2 * samples or not samples:
        file.skipped.append("tRNS (it does not fit the picture)")
        return None
    return tuple(value & ((1 << file.depth) - 1) for value in struct.unpack_from(f">{samples}H", body))


def _unpacked_profile(body: bytes, file: StrippedFile) -> bytes | None:
    name, _, packed = body.partition(b"\0")
    try:
        unpacker = zlib.decompressobj()
        profile = unpacker.decompress(packed[1:], MAX_PROFILE_BYTES)
        if not name or not unpacker.eof:
            raise ValueError
    except (zlib.error, ValueError):
        file.skipped.append("iCCP (it cannot be unpacked)")
        return None
    return profile


def _chunk_name(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")


# ---- JPEG

_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
"""markers without a length"""
_APP0, _APP1, _APP2, _APP14, _APP15, _COMMENT, _SCAN = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE, 0xDA
_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"


def _jpeg(data: bytes, file: StrippedFile) -> None:
    """Keep the segments of the pixels, and JFIF and Adobe segments, which say how colours are stored."""
    kept, offset, profile = [data[:2]], 2, dict[int, bytes]()
    count = 0
    while match := _MARKER.search(data, offset):
        marker, start = match[1][0], match.end()
        if marker in _WITHOUT_LENGTH:
            kept.append(data[offset:start])
            offset = start
            continue
        if marker in (_SCAN, 0xD9):
            break
        end = start + int.from_bytes(data[start : start + 2])
        body, segment = data[start + 2 : end], data[offset:end]
        if marker == _APP1 and body.startswith(_EXIF):
            file.orientation = _orientation(body[len(_EXIF) :], "EXIF", file)
        elif marker == _APP2 and body.startswith(_ICC) and len(body) > 14:
            profile[body[12]], count = body[14:], body[13]
        elif marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14:
            kept.append(_encode_segment(marker, body[:12] + b"\0\0"))  # without its thumbnail
        elif _is_needed(marker, body):
            kept.append(segment)
        offset = end
    file.data = b"".join([*kept, data[offset:]])
    if profile and sorted(profile) == list(range(1, count + 1)):
        file.profile = b"".join(profile[number] for number in sorted(profile))
    elif profile:
        file.skipped.append("ICC profile (parts of it are missing)")


def _is_needed(marker: int, body: bytes) -> bool:
    """Return whether a segment is needed to decode the pixels."""
    if marker == _APP14:
        return body.startswith(b"Adobe") and len(body) >= 12
    return not _APP0 <= marker <= _APP15 and marker != _COMMENT


def _encode_segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


# ---- WebP

_ICC_FLAG, _EXIF_FLAG, _XMP_FLAG = 0x20, 0x08, 0x04


def _webp(data: bytes, file: StrippedFile) -> None:
    kept, offset = [], 12
    while offset + 8 <= len(data):
        kind, (size,) = data[offset : offset + 4], struct.unpack_from("<I", data, offset + 4)
        chunk = data[offset : offset + 8 + size + size % 2]
        body = chunk[8 : 8 + size]
        if kind == b"VP8X" and body:
            flags = body[0] & ~(_ICC_FLAG | _EXIF_FLAG | _XMP_FLAG)
            kept.append(chunk[:8] + bytes((flags,)) + chunk[9:])
        elif kind == b"ICCP":
            file.profile = body
        elif kind == b"EXIF":
            file.orientation = _orientation(body.removeprefix(_EXIF), "EXIF", file)
        elif kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"):
            kept.append(chunk)
        offset += len(chunk)
    chunks = b"".join(kept)
    file.data = RIFF + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


# ---- TIFF

_TIFF = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
_PIXELS = frozenset((
    256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 334, 338,
    339, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532,
))  # fmt: skip
"""tags that describe how pixels are stored"""
_PROFILE = 34675
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""bytes of a value, by its type"""


@dataclass(frozen=True)
class _Layout:
    """The byte order and number sizes of a TIFF: offsets have 4 bytes, 8 in a BigTIFF."""

    order: str
    large: bool

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.large else "I"))

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.large else "H"))

    @property
    def entry(self) -> struct.Struct:
        """Tag, type, count, and the values or their offset."""
        return struct.Struct(self.order + ("HHQ8s" if self.large else "HHI4s"))


def _tiff(data: bytes, file: StrippedFile) -> None:
    """Append a list of the first page's pixel tags to the file, and let the header point to it."""
    layout = _Layout(*_TIFF[data[:4]])
    head = 8 if layout.large else 4
    entries = [
        entry for entry in _entries(data, layout.offset.unpack_from(data, head)[0], layout) if entry[0] in _PIXELS
    ]
    file.profile = _tiff_profile(data, layout, layout.offset.unpack_from(data, head)[0], file)
    block = layout.count.pack(len(entries)) + b"".join(layout.entry.pack(*entry) for entry in entries)
    padding = bytes(len(data) % 2)
    pointer = layout.offset.pack(len(data) + len(padding))
    file.data = b"".join((data[:head], pointer, data[head + len(pointer) :], padding, block, layout.offset.pack(0)))


def _entries(data: bytes, offset: int, layout: _Layout) -> list[tuple[int, int, int, bytes]]:
    (count,) = layout.count.unpack_from(data, offset)
    start = offset + layout.count.size
    if start + count * layout.entry.size > len(data):
        raise ValueError
    return [layout.entry.unpack_from(data, start + number * layout.entry.size) for number in range(count)]


def _tiff_profile(data: bytes, layout: _Layout, offset: int, file: StrippedFile) -> bytes | None:
    for tag, kind, count, value in _entries(data, offset, layout):
        if tag == _PROFILE:
            size = count * _SIZES.get(kind, 1)
            start = layout.offset.unpack(value)[0]
            if start + size <= len(data) and size <= MAX_PROFILE_BYTES:
                return data[start : start + size]
            file.skipped.append("ICC profile (it lies beyond the end of the file)")
    return None


# ---- AVIF and HEIC

_EXIF_ITEM = re.compile(rb"(infe[\x02\x03].{3}(?:.{4}|.{6}))Exif", re.DOTALL)


def _boxes(data: bytes, file: StrippedFile) -> None:
    """Rename the EXIF item, so that decoders ignore it: in these formats orientation is a property of the picture."""
    offset = 0
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset : offset + 4])
        if data[offset + 4 : offset + 8] == b"meta":
            items = _EXIF_ITEM.sub(rb"\1skip", data[offset : offset + size])
            file.data = data[:offset] + items + data[offset + size :]
        if size < 8:
            return
        offset += size


# ---- EXIF


def _orientation(block: bytes, name: str, file: StrippedFile) -> int:
    """Return the orientation of an EXIF block, 1 to 8; 1 where it is absent or invalid."""
    if block[:4] not in _TIFF:
        file.skipped.append(f"{name} (it is invalid)")
        return 1
    layout = _Layout(*_TIFF[block[:4]])
    try:
        entries = _entries(block, layout.offset.unpack_from(block, 8 if layout.large else 4)[0], layout)
    except (struct.error, ValueError):
        file.skipped.append(f"{name} (it is cut short)")
        return 1
    for tag, kind, _, value in entries:
        if tag == _ORIENTATION and kind == 3:
            orientation = struct.unpack_from(layout.order + "H", value)[0]
            return orientation if 1 <= orientation <= 8 else 1
    return 1
