"""Read untrusted uploads. Call these functions in a Sandbox only; they use Pillow, numpy and zipfile alone."""

import csv
import hashlib
import io
import json
import stat
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data.archive import MemberPart, half_of
from data.decode import CURRENT_RULES, DecodedPicture, DecodingRules, Fault, UnreadablePicture, read_picture
from data.deep_image import AnyImage, DeepImage, pixels_of
from data.errors import Refused, WrongMedia
from data.levels import Pixels, full_level
from data.prepare import Preparation, on_white, prepare
from data.uploads import zip_names

Json = dict[str, Any]
MIN_SIDE = 16
"""shortest edge, in pixels, of a picture that is translated"""
MAX_NAME_CHARACTERS = 512
MAX_UNPACK_RATIO = 100
"""largest ratio of unpacked to packed size of a large archive; pictures are compressed already"""
UNCHECKED_RATIO_BYTES = 64 << 20
"""unpacked bytes up to which the ratio is not checked"""
SURVEY_S = 4.0
"""seconds after which a survey returns the facts that it has"""
BATCH_S = 1.0
BATCH_BYTES = 32 << 20
"""seconds, and bytes, after either of which a batch of prepared pictures is returned"""
MAX_TABLE_BYTES = 16 << 20
"""most bytes of a table of classes"""
NEAR_CONSTANT_DEVIATION = 2.0
"""standard deviation, of 255, below which a picture is near-constant"""
_FLAT_SIDE = 64
"""side in pixels to which a picture is reduced before it is checked for variation"""
MAX_PALETTE = 64
"""most colours of a label map"""
_PALETTE_SAMPLE = 4096
"""pixels that are checked first for too many colours"""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_DOS_FOLDER = 0x10


@dataclass(frozen=True)
class SurveyOptions:
    """Options of a survey.

    `halved`: each picture holds two pictures side by side. `palettes`: pictures may be label maps, so their colours are
    listed.
    """

    max_pixels: int
    halved: bool = False
    palettes: bool = False
    decoding: DecodingRules = CURRENT_RULES


def decode(
    data: bytes,
    channels: int,
    max_pixels: int,
    masked: bool,
    decoding: DecodingRules = CURRENT_RULES,
    half: int | None = None,
) -> tuple[Pixels, list[str]]:
    """Decode a picture that will be translated; return its pixels and notes on it.

    The pixels are levels [h, w, channels] of the bits that `decoding` says, with one more channel if the picture has
    alpha. Colours are composited over white, as in training, unless alpha marks a hole (`masked`). `half` takes the
    left (0) or right (1) half alone. Raises Refused, WrongMedia.
    """
    try:
        picture = read_picture(data, max_pixels, decoding)
    except UnreadablePicture as error:
        raise _refusal(error) from None
    image = _part_of(picture.image, half)
    if min(image.size) < MIN_SIDE:
        sides = f"The picture is {image.width} x {image.height}; {MIN_SIDE} pixels a side are the least (min_side)"
        sentence = f"{sides}: enlarge it."
        raise Refused(sentence, "too_few_pixels")
    colour = image.convert("RGB") if masked else on_white(image)
    shown = _with_own_alpha(colour.convert({1: "L", 3: "RGB"}[channels]), image)
    conversion = [f"Colours were turned into sRGB by its ICC profile ({picture.profile})."] if picture.profile else []
    return pixels_of(shown), [*conversion, *picture.notes]


def _with_own_alpha(shown: AnyImage, image: AnyImage) -> AnyImage:
    """Return the colours of `shown` with the alpha of `image`, if it has one."""
    if isinstance(shown, DeepImage) and isinstance(image, DeepImage):
        return shown if image.alpha is None else shown.with_alpha(image.alpha)
    if isinstance(shown, Image.Image) and isinstance(image, Image.Image) and image.mode.endswith("A"):
        shown.putalpha(image.getchannel("A"))
    return shown


def members(path: Path, max_members: int, max_unpacked: int) -> Json:
    """List a zip's members after safety checks: {"files": {name: path}, "folders": [path], "guessed": encoding}.

    Raises Refused with the problem.
    """
    infos = _open(path).infolist()
    if len(infos) > max_members:
        raise _archive_limit(f"It has {len(infos)} members, more than {max_members} (max_dataset_members).")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > max_unpacked:
        raise _archive_limit(f"It unpacks to {unpacked} bytes, more than {max_unpacked} (max_dataset_unpacked_bytes).")
    packed = path.stat().st_size
    _check_sizes(infos, packed)
    if unpacked > UNCHECKED_RATIO_BYTES and unpacked > MAX_UNPACK_RATIO * packed:
        raise _archive_limit(
            f"It unpacks to {unpacked // packed} times its size; {MAX_UNPACK_RATIO} times is the limit."
        )
    seen_paths: set[tuple[str, ...]] = set()
    paths, guessed = zip_names.decode_names(infos)
    files, folders = {}, []
    for info, path_in_zip in zip(infos, paths, strict=True):
        _check_member(info, path_in_zip)
        if (parts := parts_of(info.filename)) in seen_paths:
            raise Refused(f"The zip has two members called '{_short(path_in_zip)}'.", "unsafe_archive")
        seen_paths.add(parts)
        if _is_folder(info, path_in_zip):
            folders.append(path_in_zip)
        else:
            files[info.filename] = path_in_zip
    if not files:
        raise Refused("The zip is empty.", "no_pictures")
    return {"files": files, "folders": folders, "guessed": guessed}


def tables(path: Path, names: Sequence[str]) -> Json:
    """Read tables of classes: {name: rows of a CSV, {"labels": ...} of JSON, or the reason why it cannot be used}."""
    return {name: _table(_open(path), name) for name in names}


def _table(archive: zipfile.ZipFile, name: str) -> Any:
    if (size := archive.getinfo(name).file_size) > MAX_TABLE_BYTES:
        return f"it has {size} bytes, more than {MAX_TABLE_BYTES}."
    try:
        text = _bytes_of(archive, name).decode("utf-8-sig")
        if not name.casefold().endswith(".json"):
            return [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        labels = json.loads(text)["labels"]
    except MemoryError:
        raise
    except Exception as error:  # csv, json and zipfile raise any exception for damaged bytes
        return f"it cannot be read ({error})."
    if labels is None:
        return {"labels": None}
    if isinstance(labels, list) and all(_is_label(pair) for pair in labels):
        return {"labels": labels}
    return 'its "labels" are not a list of pairs of a file and a number.'


def _is_label(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and type(pair[1]) is int


def _is_folder(info: zipfile.ZipInfo, path_in_zip: str) -> bool:
    """Return whether a member is a folder; some tools end its name with a backslash, or set only its attributes."""
    by_mode = stat.S_ISDIR(info.external_attr >> 16) or bool(info.external_attr & _DOS_FOLDER)
    return path_in_zip.endswith(("/", "\\")) or (by_mode and not info.file_size)


def survey(path: Path, names: Sequence[str], options: SurveyOptions) -> tuple[list[Json], float]:
    """Return facts about a zip's pictures, and the processor time in seconds.

    An unreadable picture has {"name", "reason"} alone. It stops after SURVEY_S: the facts are those of the first names,
    at least of one.
    """
    until, started = time.monotonic() + SURVEY_S, time.process_time()
    facts: list[Json] = []
    for name in names:
        facts.append({"name": name} | _facts(path, name, options))
        if time.monotonic() > until:
            break
    return facts, time.process_time() - started


def prepared(path: Path, part: MemberPart, preparation: Preparation) -> Pixels:
    """Prepare a picture of a zip, or a part of it, for training: [side, side, channels]."""
    return prepare(_part_of(_read(path, part.name, preparation.decoding), part.half), preparation, part.tile)


def batch(path: Path, parts: Sequence[MemberPart], preparation: Preparation) -> Pixels:
    """Prepare the pictures in order, and stop after BATCH_S or BATCH_BYTES: [n, side, side, channels].

    n is at least 1. Raises Refused with the name of an unreadable member.
    """
    until = time.monotonic() + BATCH_S
    ready: list[Pixels] = []
    last_name = ""
    image: AnyImage = Image.new("L", (1, 1))
    for part in parts:
        try:
            if part.name != last_name:  # tiles of one picture are consecutive
                last_name, image = part.name, _read(path, part.name, preparation.decoding)
            ready.append(prepare(_part_of(image, part.half), preparation, part.tile))
        except (MemoryError, Refused):
            raise
        except Exception as error:  # zipfile and zlib raise any exception for a damaged member
            raise Refused(f"{part.name}: {error}", "unreadable_picture") from error
        if time.monotonic() > until or sum(picture.nbytes for picture in ready) > BATCH_BYTES:
            break
    return np.stack(ready)


def member(
    path: Path, part: MemberPart, channels: int, max_pixels: int, masked: bool, decoding: DecodingRules
) -> tuple[Pixels, list[str]]:
    """Decode one picture of a zip, or a half of it, as `decode` does."""
    return decode(_bytes_of(_open(path), part.name), channels, max_pixels, masked, decoding, part.half)


def _read(path: Path, name: str, decoding: DecodingRules) -> AnyImage:
    return read_picture(_bytes_of(_open(path), name), decoding=decoding).image


def _part_of(image: AnyImage, half: int | None) -> AnyImage:
    return image if half is None else half_of(image, half)


def close_archives() -> None:
    """Close open archives, so that their disk space is freed when they are removed."""
    _open.cache_clear()


def parts_of(name: str) -> tuple[str, ...]:
    """Return a member's folders and file name, separated by slashes or backslashes."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _facts(path: Path, name: str, options: SurveyOptions) -> Json:
    archive, max_pixels = _open(path), options.max_pixels
    if (size := archive.getinfo(name).file_size) > (max_bytes := 8 * max_pixels + (1 << 20)):
        largest = f"a picture of {max_pixels} pixels (max_pixels) has at most {max_bytes}"
        return {"reason": f"It unpacks to {size} bytes; {largest}."}
    try:
        picture = read_picture(_bytes_of(archive, name), max_pixels, options.decoding)
    except UnreadablePicture as error:
        return {"reason": str(error)}
    except (MemoryError, Refused):
        raise
    except Exception as error:  # zipfile and zlib raise any exception for a damaged member
        return {"reason": f"Its bytes in the zip are damaged ({error})."}
    return _facts_of(picture, options)


def _facts_of(picture: DecodedPicture, options: SurveyOptions) -> Json:
    image = picture.image
    parts = [half_of(image, half) for half in (0, 1)] if options.halved else [image]
    if min(parts[0].size) < 1:
        return {"reason": "It is too narrow to be split in two."}
    colour = pixels_of(image.convert("RGB"))
    grey = image.mode.startswith("L") or bool((colour == colour[..., :1]).all())
    alpha = image.mode.endswith("A")
    canonical = _with_own_alpha(image.convert("L" if grey else "RGB"), image)
    mode = ("L" if grey else "RGB") + ("A" if alpha else "")
    digest = hashlib.sha256(f"{mode} {canonical.size}".encode() + pixels_of(canonical).tobytes())
    return {
        "width": image.width,
        "height": image.height,
        "format": picture.format,
        "grey": grey,
        "alpha": alpha,
        "deep": picture.sixteen_bit,
        "flat": any(_is_flat(part) for part in parts),
        "hash": digest.hexdigest(),
        "reach": picture.reach,
        "profile": picture.profile,
        "notes": picture.notes,
        "palettes": [_palette(part) for part in parts] if options.palettes else [],
    }


def _is_flat(image: AnyImage) -> bool:
    pixels = prepare(image, Preparation(_FLAT_SIDE, 3))
    return bool(pixels.std(axis=(0, 1)).max() < NEAR_CONSTANT_DEVIATION * full_level(pixels) / 255)


def _palette(image: AnyImage) -> list[int] | None:
    """Return the colours of a picture over white as numbers; None for more than MAX_PALETTE."""
    pixels = pixels_of(on_white(image).convert("RGB")).reshape(-1, 3)
    level = full_level(pixels) + 1
    colours = pixels @ np.array([level**2, level, 1])
    unique = np.unique(colours[:: max(1, len(colours) // _PALETTE_SAMPLE)])
    if len(unique) > MAX_PALETTE or len(unique := np.unique(colours)) > MAX_PALETTE:
        return None
    return [int(colour) for colour in unique]


@lru_cache(maxsize=4)
def _open(path: Path) -> zipfile.ZipFile:
    """Open a zip. The newest stay open, since their lists of members are slow to read. Raises Refused, WrongMedia."""
    try:
        return zipfile.ZipFile(path)
    except MemoryError:
        raise
    except Exception as error:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                sentence = "The file is not a zip. Pack the pictures, or folders of them, into one."
                raise WrongMedia(sentence) from None
        raise Refused(f"The zip cannot be read, it is damaged or cut short ({error}).", "unreadable_archive") from None


def _bytes_of(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member, at most its stated size: `ZipFile.read` would unpack everything and then cut it."""
    with archive.open(name) as member:
        return member.read(archive.getinfo(name).file_size)


def _check_sizes(infos: Sequence[zipfile.ZipInfo], packed: int) -> None:
    """Raise Refused if stated sizes are false or members overlap: the packed sizes must fit into the file."""
    beyond = any(info.header_offset + info.compress_size > packed for info in infos)
    if beyond or sum(info.compress_size for info in infos) > packed:
        raise Refused("Its members are larger than the zip itself. Pack the pictures again.", "unsafe_archive")


def _check_member(info: zipfile.ZipInfo, path_in_zip: str) -> None:
    name, mode = path_in_zip, info.external_attr >> 16
    if len(name) > MAX_NAME_CHARACTERS:
        problem = f"has a name of more than {MAX_NAME_CHARACTERS} characters"
    elif any(_leads_out(name) for name in (path_in_zip, info.filename)) or "\0" in info.orig_filename:
        problem = "has a name that leads out of the archive"
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or a device, not a file"
    elif info.flag_bits & _ENCRYPTED:
        problem = "is encrypted"
    elif info.compress_type not in _METHODS:
        problem = "is packed by a method other than store and deflate"
    else:
        return
    raise Refused(f"The member '{_short(name)}' {problem}. Pack the pictures again without it.", "unsafe_archive")


def _leads_out(name: str) -> bool:
    path = name.replace("\\", "/")
    return not parts_of(name) or path.startswith("/") or path[1:2] == ":" or ".." in path.split("/")


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:77]}..."


def _archive_limit(sentence: str) -> Refused:
    return Refused(f"{sentence} Send a smaller archive.", "archive_limit")


def _refusal(error: UnreadablePicture) -> Refused:
    if error.fault is Fault.FORMAT:
        return WrongMedia(f"The file cannot be used. {error}")
    return Refused(f"The picture cannot be used. {error}", error.fault.value)
