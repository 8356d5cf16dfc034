"""Write text into PNG files."""

import struct
import zlib

_HEAD_BYTES = 33
"""bytes of the signature and of IHDR, which is the first chunk of every PNG"""


def with_text(png: bytes, keyword: str, text: str) -> bytes:
    """Return a PNG with a chunk tEXt (PNG specification, 11.3.3.2) behind its first chunk; its pixels stay as they are.

    `keyword` has 1 to 79 characters; both are ASCII without NUL, else this raises UnicodeEncodeError.
    """
    content = b"tEXt" + keyword.encode("ascii") + b"\0" + text.encode("ascii")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:_HEAD_BYTES] + chunk + png[_HEAD_BYTES:]
