"""PNG files, chunk by chunk."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of every chunk of a sound PNG."""
    assert png.startswith(SIGNATURE)
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert png[at : at + 12 + length] == chunk(kind, content)
        yield kind, content
        at += 12 + length


def without_text(png: bytes) -> bytes:
    """The file without its text: pictures of /sample and /translate carry their recipe, those of shards do not."""
    return SIGNATURE + b"".join(chunk(kind, content) for kind, content in chunks(png) if kind != b"tEXt")
