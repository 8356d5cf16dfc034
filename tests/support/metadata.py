"""Add metadata to picture files byte by byte: EXIF blocks, WebP chunks, TIFF tags."""

import struct

from tests.support.files import chunk
from tests.support.zips import noise, saved


def with_exif(data: bytes, format_: str, block: bytes) -> bytes:
    """Return the file with one EXIF block; of AVIF, a noise picture of 40 x 30 that holds the block."""
    if format_ == "JPEG":
        return data[:2] + b"\xff\xe1" + struct.pack(">H", 8 + len(block)) + b"Exif\0\0" + block + data[2:]
    if format_ == "PNG":
        start = data.index(b"IDAT") - 4
        return data[:start] + chunk(b"eXIf", block) + data[start:]
    if format_ == "WEBP":
        return with_webp_chunks(data, exif=block)
    placeholder = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIII", 1, 270, 2, 1100, 26, 0) + b"x" * 1100
    avif = saved(noise(40, 30, 1), "AVIF", exif=placeholder)
    assert placeholder in avif
    return avif.replace(placeholder, block.ljust(len(placeholder), b"\xff"))


def with_webp_chunks(data: bytes, **chunks: bytes) -> bytes:
    """Return a plain WebP of 40 x 30 in the extended format, with more chunks (`exif`, `xmp`, `iccp`)."""
    flags = {"exif": 0x08, "xmp": 0x04, "iccp": 0x20}
    head = (
        struct.pack("<I", sum(flags[name] for name in chunks)) + (39).to_bytes(3, "little") + (29).to_bytes(3, "little")
    )
    names = {"exif": b"EXIF", "xmp": b"XMP ", "iccp": b"ICCP"}
    leading = [(b"VP8X", head), *((names[name], body) for name, body in chunks.items() if name == "iccp")]
    trailing = [(names[name], body) for name, body in chunks.items() if name != "iccp"]

    def encode(parts: list[tuple[bytes, bytes]]) -> bytes:
        return b"".join(kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in parts)

    body = b"WEBP" + encode(leading) + data[12:] + encode(trailing)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def with_tag(data: bytes, tag: int, kind: int, count: int, value: int) -> bytes:
    """Return a little-endian TIFF with one more tag; its directory is moved to the end of the file."""
    (directory,) = struct.unpack_from("<I", data, 4)
    (entry_count,) = struct.unpack_from("<H", data, directory)
    entries = [data[directory + 2 + 12 * index : directory + 14 + 12 * index] for index in range(entry_count)]
    entries = sorted(
        [*entries, struct.pack("<HHII", tag, kind, count, value)], key=lambda entry: struct.unpack("<H", entry[:2])
    )
    new_directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    padding = bytes(len(data) % 2)
    return data[:4] + struct.pack("<I", len(data) + len(padding)) + data[8:] + padding + new_directory
