"""Zip files that the service must refuse or read with care, which `zipped` cannot write."""

import io
import struct
import zipfile
import zlib
from typing import Any

from tests.support.zips import picture


def zip_with_member(name: str, data: bytes = b"", *, mode: int = 0, flags: int = 0, **attributes: Any) -> bytes:
    """Return a valid zip with one unusual member: its Unix mode, its flags and attributes of its `ZipInfo`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("cat/1.png", picture(1))
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        for attribute, value in attributes.items():
            setattr(info, attribute, value)
        archive.writestr(info, data)
    content = out.getvalue()
    if flags:
        at = content.rindex(b"PK\1\2") + 8
        content = content[:at] + struct.pack("<H", flags) + content[at + 2 :]
    return content


def zip_with_duplicate_name() -> bytes:
    """Return a zip of two members called `cat/1.png`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("cat/1.png", picture(1))
        archive.writestr("cat/2.png", picture(2))
    return out.getvalue().replace(b"cat/2.png", b"cat/1.png")


def zip_of_zeros(name: str, size: int) -> bytes:
    """Return a small zip of one member that inflates to `size` zeros."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        for start in range(0, size, 1_000_000):
            member.write(bytes(min(1_000_000, size - start)))
    return out.getvalue()


def zip_of_a_link() -> bytes:
    """Return a zip whose only member is a symbolic link."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("a/0.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


def zip_of_encoded_names(members: list[tuple[bytes, bytes, bytes]]) -> bytes:
    """Return a zip of (encoded name, extra field, content) that does not say how names are encoded."""
    out, directory = b"", b""
    for name, extra, data in members:
        head = struct.pack(
            "<HHHHHIIIHH", 20, 0, 0, 0, 0x21, zlib.crc32(data), len(data), len(data), len(name), len(extra)
        )
        entry = struct.pack("<H", 20) + head + struct.pack("<HHHII", 0, 0, 0, 0, len(out))
        directory += b"PK\1\2" + entry + name + extra
        out += b"PK\3\4" + head + name + extra + data
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(out), 0)
    return out + directory + b"PK\5\6" + end


def unicode_path_field(name: bytes, text: str) -> bytes:
    """Return Info-ZIP's extra field, which gives the name of a member in UTF-8."""
    body = b"\1" + struct.pack("<I", zlib.crc32(name)) + text.encode()
    return struct.pack("<HH", 0x7075, len(body)) + body
