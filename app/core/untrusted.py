"""What is done to bytes from strangers: run these in a Sandbox. Pillow, numpy and zipfile only."""

import hashlib
import stat
import time
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.core.errors import FieldError, ForgerError, Invalid, UnsupportedMedia
from models.archive import half_of
from models.decoding import Fault, Picture, Unreadable, read_picture
from models.preparing import prepare

Json = dict[str, Any]
Pick = tuple[str, int | None] | None
"""a member and which half of it, None for all of it; no pick leaves a place empty"""
LEAST_SIDE = 16
"""pixels of the shorter side of a picture that can be translated"""
NAME_CHARACTERS = 512
RATIO = 100
"""how many times its packed size a large archive may unpack to; pictures are packed already"""
LARGE = 64 << 20
"""unpacked bytes below which the ratio does not matter"""
PATIENCE_S = 4.0
"""after which a survey answers what it has"""
BATCH_S = 1.0
BATCH_BYTES = 32 << 20
"""beyond either of which a batch of prepared pictures is whole"""
FLAT = 2.0
"""standard deviation, of 255, below which a picture is near-constant"""
_FLAT_SIDE = 64
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


def decode(data: bytes, channels: int, max_pixels: int) -> NDArray[np.uint8]:
    """A picture to translate as uint8 [h, w, channels], or with its alpha as one channel more."""
    try:
        image = read_picture(data, max_pixels).image
    except Unreadable as error:
        raise _refusal(error) from None
    if min(image.size) < LEAST_SIDE:
        sentence = (
            f"The picture is {image.width} x {image.height}; {LEAST_SIDE} pixels a side are the least (min_side)."
        )
        raise _invalid(sentence, "too_few_pixels")
    mode = {1: "L", 3: "RGB"}[channels] + ("A" if image.mode.endswith("A") else "")
    return np.asarray(image.convert(mode)).reshape(image.height, image.width, len(mode))


def members(path: Path, max_members: int, max_unpacked: int) -> list[str]:
    """The files in a zip, if it can be read without danger. Raises Invalid naming what is wrong."""
    infos = _opened(path).infolist()
    if len(infos) > max_members:
        raise _archive_limit(f"It has {len(infos)} members, more than {max_members} (max_dataset_members).")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > max_unpacked:
        raise _archive_limit(f"It unpacks to {unpacked} bytes, more than {max_unpacked} (max_dataset_unpacked_bytes).")
    packed = path.stat().st_size
    _check_sizes(infos, packed)
    if unpacked > LARGE and unpacked > RATIO * packed:
        raise _archive_limit(f"It unpacks to {unpacked // packed} times its size; {RATIO} times is the limit.")
    seen: set[tuple[str, ...]] = set()
    files = []
    for info in infos:
        _check_member(info)
        if (parts := parts_of(info.filename)) in seen:
            raise _invalid(f"The zip has two members called '{_short(info.filename)}'.", "unsafe_archive")
        seen.add(parts)
        if not info.is_dir():
            files.append(info.filename)
    if not files:
        raise _invalid("The zip is empty.", "no_pictures")
    return files


def survey(path: Path, names: Sequence[str], max_pixels: int, halved: bool) -> tuple[list[Json], float]:
    """Facts about some of a zip's pictures, or {"name", "reason"} of one that cannot be read; and processor time, in s.

    Stops after a while: the answer is about the first of the names, at least one.
    """
    until, began = time.monotonic() + PATIENCE_S, time.process_time()
    facts: list[Json] = []
    for name in names:
        facts.append({"name": name} | _facts(path, name, max_pixels, halved))
        if time.monotonic() > until:
            break
    return facts, time.process_time() - began


def prepared(path: Path, name: str, half: int | None, side: int, channels: int) -> NDArray[np.uint8]:
    """One of a zip's pictures, or a half of it, as training will see it: [side, side, channels]."""
    image = read_picture(_bytes_of(_opened(path), name)).image
    return prepare(image if half is None else half_of(image, half), side, channels)


def batch(path: Path, names: Sequence[str], half: int | None, side: int, channels: int) -> NDArray[np.uint8]:
    """The first of these pictures, at least one, as `prepared`: [n, side, side, channels].

    Raises Invalid naming the member that cannot be read.
    """
    until = time.monotonic() + BATCH_S
    ready: list[NDArray[np.uint8]] = []
    for name in names:
        try:
            ready.append(prepared(path, name, half, side, channels))
        except (MemoryError, ForgerError):
            raise
        except Exception as error:  # a damaged member raises whatever zipfile and zlib like
            raise _invalid(f"{name}: {error}", "unreadable_picture") from error
        if time.monotonic() > until or sum(picture.nbytes for picture in ready) > BATCH_BYTES:
            break
    return np.stack(ready)


def member(path: Path, name: str, half: int | None, channels: int, max_pixels: int) -> NDArray[np.uint8]:
    """One of a zip's pictures to translate, or a half of it, as `decode`."""
    pixels = decode(_bytes_of(_opened(path), name), channels, max_pixels)
    if half is None:
        return pixels
    middle = pixels.shape[1] // 2
    return pixels[:, -middle:] if half else pixels[:, :middle]


def forget() -> None:
    """Closes the archives that are still open, so that their space is free once they are removed."""
    _opened.cache_clear()


def parts_of(name: str) -> tuple[str, ...]:
    """A member's folders and file name, also where they are parted by backslashes."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _facts(path: Path, name: str, max_pixels: int, halved: bool) -> Json:
    archive = _opened(path)
    if (size := archive.getinfo(name).file_size) > (most := 8 * max_pixels + (1 << 20)):
        return {
            "reason": f"It unpacks to {size} bytes; a picture of {max_pixels} pixels (max_pixels) has at most {most}."
        }
    try:
        picture = read_picture(_bytes_of(archive, name), max_pixels)
    except Unreadable as error:
        return {"reason": str(error)}
    except (MemoryError, ForgerError):
        raise
    except Exception as error:  # a damaged member raises whatever zipfile and zlib like
        return {"reason": f"Its bytes in the zip are damaged ({error})."}
    return _described(picture, halved)


def _described(picture: Picture, halved: bool) -> Json:
    image = picture.image
    parts = [half_of(image, half) for half in (0, 1)] if halved else [image]
    if min(parts[0].size) < 1:
        return {"reason": "It is too narrow to be split in two."}
    colour = np.asarray(image.convert("RGB"))
    grey = image.mode.startswith("L") or bool((colour == colour[..., :1]).all())
    canonical = image.convert(("L" if grey else "RGB") + ("A" if image.mode.endswith("A") else ""))
    mark = hashlib.sha256(f"{canonical.mode} {canonical.size}".encode() + canonical.tobytes())
    return {
        "width": image.width,
        "height": image.height,
        "format": picture.format,
        "grey": grey,
        "alpha": image.mode.endswith("A"),
        "deep": picture.sixteen_bit,
        "flat": any(_is_flat(part) for part in parts),
        "hash": mark.hexdigest(),
    }


def _is_flat(image: Image.Image) -> bool:
    return bool(prepare(image, _FLAT_SIDE, 3).std(axis=(0, 1)).max() < FLAT)


@lru_cache(maxsize=4)
def _opened(path: Path) -> zipfile.ZipFile:
    """The newest archives stay open: their lists of members are long to read."""
    try:
        return zipfile.ZipFile(path)
    except MemoryError:
        raise
    except Exception as error:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                sentence = "The file is no zip. Pack the pictures, or folders of them, into one."
                raise UnsupportedMedia(sentence, errors=(FieldError("/file", sentence),)) from None
        raise _invalid(f"The zip cannot be read, it is damaged or cut short ({error}).", "unreadable_archive") from None


def _bytes_of(archive: zipfile.ZipFile, name: str) -> bytes:
    """No more than the size that the member says it has: `ZipFile.read` unpacks all and then cuts."""
    with archive.open(name) as member:
        return member.read(archive.getinfo(name).file_size)


def _check_sizes(infos: Sequence[zipfile.ZipInfo], packed: int) -> None:
    """Members lie in the file one behind the other: a size that says otherwise is false, or has bytes read twice."""
    beyond = any(info.header_offset + info.compress_size > packed for info in infos)
    if beyond or sum(info.compress_size for info in infos) > packed:
        raise _invalid("Its members are larger than the zip itself. Pack the pictures anew.", "unsafe_archive")


def _check_member(info: zipfile.ZipInfo) -> None:
    name, mode = info.filename, info.external_attr >> 16
    bare = name.replace("\\", "/")
    if len(name) > NAME_CHARACTERS:
        trouble = f"has a name of more than {NAME_CHARACTERS} characters"
    elif (
        not parts_of(name)
        or bare.startswith("/")
        or bare[1:2] == ":"
        or ".." in bare.split("/")
        or "\0" in info.orig_filename
    ):
        trouble = "has a name that leads out of the archive"
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        trouble = "is a link or a device, not a file"
    elif info.flag_bits & _ENCRYPTED:
        trouble = "is encrypted"
    elif info.compress_type not in _METHODS:
        trouble = "is packed by a method other than store and deflate"
    else:
        return
    raise _invalid(f"The member '{_short(name)}' {trouble}. Pack the pictures anew without it.", "unsafe_archive")


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:77]}..."


def _archive_limit(sentence: str) -> Invalid:
    return _invalid(f"{sentence} Send a smaller archive.", "archive_limit")


def _refusal(error: Unreadable) -> ForgerError:
    if error.fault is Fault.FORMAT:
        sentence = f"The file cannot be used. {error}"
        return UnsupportedMedia(sentence, errors=(FieldError("/file", sentence),))
    return _invalid(f"The picture cannot be used. {error}", error.fault.value)


def _invalid(sentence: str, code: str) -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError("/file", sentence),))
