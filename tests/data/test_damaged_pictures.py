"""Damaged metadata never makes a picture unreadable, in any format; damaged pixels do."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data.containers import strip_metadata
from data.decode import DecodedPicture, Fault, UnreadablePicture, read_picture
from tests.support.files import ADOBE_RGB, COLOUR, PNG, chunk, png
from tests.support.metadata import with_exif, with_tag, with_webp_chunks
from tests.support.zips import noise, saved

PIXELS = np.asarray(noise(40, 30, 1))
ANCILLARY = [
    b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"hIST", b"tRNS", b"eXIf", b"pHYs",
    b"sPLT", b"tIME", b"iTXt", b"tEXt", b"zTXt", b"acTL", b"fcTL", b"fdAT", b"oFFs", b"pCAL", b"sCAL", b"gIFg", b"vpAg",
    b"prVt",
]  # fmt: skip
NONSENSE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda kind: chunk(kind, b""),
    "one byte": lambda kind: chunk(kind, b"\xff"),
    "short": lambda kind: chunk(kind, b"\1\2\3"),
    "zeros": lambda kind: chunk(kind, bytes(100)),
    "ones": lambda kind: chunk(kind, b"\xff" * 100),
    "text": lambda kind: chunk(kind, b"what is this?\0\0" * 20),
    "a wrong checksum": lambda kind: chunk(kind, b"\0\0\0\1", crc=12345),
    "large": lambda kind: chunk(kind, b"name\0\0" + zlib.compress(bytes(3 << 20))),
    "large and random": lambda kind: chunk(kind, b"n\0\0" + np.random.default_rng(1).bytes(2 << 20)),
}


def colours(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(read_picture(data).image.convert("RGB"))


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("kind", ANCILLARY, ids=bytes.decode)
def test_png_with_a_damaged_ancillary_chunk_is_read(kind: bytes, nonsense: str) -> None:
    damaged = NONSENSE[nonsense](kind)
    before_pixels = png(PIXELS, 8, COLOUR, damaged)
    assert np.array_equal(colours(before_pixels), PIXELS)
    at_end = before_pixels[: -len(chunk(b"IEND", b""))] + damaged + chunk(b"IEND", b"")
    assert np.array_equal(colours(at_end), PIXELS)


@pytest.mark.parametrize("kind", [b"cHRM", b"pHYs", b"iCCP", b"gAMA", b"tEXt", b"eXIf"], ids=bytes.decode)
def test_note_names_the_png_chunk_that_was_ignored(kind: bytes) -> None:
    for nonsense in ("a wrong checksum", "short") if kind != b"tEXt" else ("a wrong checksum",):
        (note,) = read_picture(png(PIXELS, 8, COLOUR, NONSENSE[nonsense](kind))).notes
        assert kind.decode() in note
    assert read_picture(png(PIXELS, 8, COLOUR, chunk(b"tEXt", b"Title\0A picture"))).notes == ()


def test_png_profile_of_two_megabytes_is_used() -> None:
    profile_name = b"a profile of two megabytes"
    large_profile = struct.pack(">I", len(ADOBE_RGB) + (2 << 20)) + ADOBE_RGB[4:] + bytes(2 << 20)
    decoded = read_picture(
        png(PIXELS, 8, COLOUR, chunk(b"iCCP", profile_name + b"\0\0" + zlib.compress(large_profile)))
    )
    assert decoded.profile is not None


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"IDAT"], ids=bytes.decode)
@pytest.mark.parametrize("target", ["checksum", "byte"])
def test_png_with_a_damaged_critical_chunk_is_refused(kind: bytes, target: str) -> None:
    data = bytearray(saved(noise(40, 30, 1).quantize(64)))
    start = data.index(kind)
    (size,) = struct.unpack_from(">I", data, start - 4)
    data[start + 4 + (size if target == "checksum" else size // 2)] ^= 0x40
    with pytest.raises(UnreadablePicture) as refused:
        read_picture(bytes(data))
    assert refused.value.fault in (Fault.DAMAGED, Fault.FORMAT)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_file_cut_in_half_is_refused(format_: str) -> None:
    data = saved(noise(64, 64, 1), format_)
    with pytest.raises(UnreadablePicture):
        read_picture(data[: len(data) // 2])


# ---- other formats

EXIF_NONSENSE = {
    "text": b"this is no EXIF", "empty": b"", "a header alone": b"II*\0", "an offset beyond": b"II*\0\xff\xff\xff\x7f",
    "too many entries": b"MM\0*\0\0\0\x08\xff\xff" + bytes(20), "zeros": bytes(64), "noise": bytes(range(256)) * 4,
    "an odd type": b"II*\0\x08\0\0\0\1\0\x12\1\xff\xff\1\0\0\0\6\0\0\0\0\0\0\0",
    "a loop": b"II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0",
}  # fmt: skip


@pytest.mark.parametrize("nonsense", EXIF_NONSENSE)
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_picture_with_damaged_exif_is_read(format_: str, nonsense: str) -> None:
    image, block = noise(40, 30, 1), EXIF_NONSENSE[nonsense]
    data = with_exif(saved(image, format_), format_, block)
    assert np.array_equal(colours(data), colours(saved(image, format_)))


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientation_is_applied(format_: str, orientation: int, order: str) -> None:
    image = noise(40, 30, 1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain, data = saved(image, format_), saved(image, format_, exif=exif)
    if order == ">" and format_ != "TIFF":
        block = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
        data = with_exif(plain, format_, block)
    unturned = read_picture(plain).image
    transposition = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    expected = unturned if transposition is None else unturned.transpose(Image.Transpose(transposition))
    assert np.array_equal(np.asarray(read_picture(data).image), np.asarray(expected))


@pytest.mark.parametrize("kind", ["xmp", "iccp"])
@pytest.mark.parametrize("body", [b"", b"\xff", b"nonsense" * 100], ids=["empty", "a byte", "text"])
def test_webp_with_a_damaged_xmp_or_profile_chunk_is_read(kind: str, body: bytes) -> None:
    plain = saved(noise(40, 30, 1), "WEBP")
    assert np.array_equal(colours(with_webp_chunks(plain, **{kind: body})), colours(plain))


@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xE3, 0xEC, 0xED, 0xEE, 0xEF, 0xFE], ids=hex)
@pytest.mark.parametrize(
    "body", [b"", b"\0", b"JFIF\0", b"JFXX\0\x10", b"Exif\0\0", b"ICC_PROFILE\0", b"ICC_PROFILE\0\1\3x", b"MPF\0II*\0",
             b"Photoshop 3.0\x008BIM\4\4", b"Adobe", b"http://ns.adobe.com/xap/1.0/\0<x", bytes(1000)],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_jpeg_with_a_damaged_application_segment_is_read(marker: int, body: bytes) -> None:
    plain = saved(noise(40, 30, 1), "JPEG")
    segment = bytes((0xFF, marker)) + struct.pack(">H", 2 + len(body)) + body
    at_start, after_header = plain[:2] + segment + plain[2:], plain[:20] + segment + plain[20:]
    for data in (at_start, after_header):
        assert np.array_equal(colours(data), colours(plain))


@pytest.mark.parametrize("tag", [270, 282, 296, 305, 306, 700, 33723, 34377, 34665, 34675, 34853, 40965, 42112, 65000])
@pytest.mark.parametrize("value", [(7, 9, 0x7FFFFFF0), (2, 0xFFFFFFFF, 8), (99, 3, 0), (4, 1, 8), (5, 1, 0xFFFFFF)])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_tiff_with_a_damaged_metadata_tag_is_read(
    tag: int, value: tuple[int, int, int], compression: str | None
) -> None:
    plain = saved(noise(40, 30, 1), "TIFF", compression=compression)
    assert np.array_equal(colours(with_tag(plain, tag, *value)), PIXELS)


def test_file_without_its_metadata_is_read_by_pillow() -> None:
    for format_ in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF"):
        exif = Image.Exif()
        exif[0x0112] = 6
        data = saved(noise(40, 30, 1), format_, exif=exif, icc_profile=ADOBE_RGB)
        with Image.open(io.BytesIO(strip_metadata(data).data)) as image:
            image.load()
            assert image.size in ((40, 30), (30, 40))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM"])
def test_file_with_random_bytes_changed_is_read_or_refused_with_a_sentence(format_: str, seed: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if format_ in ("BMP", "GIF", "PPM") else {"exif": exif, "icc_profile": ADOBE_RGB}
    data = bytearray(saved(noise(24, 20, 1), format_, **options))
    rng = np.random.default_rng(seed)
    for position in rng.integers(0, len(data), 1 + seed % 7):
        data[position] = rng.integers(0, 256)
    cut = bytes(data[: len(data) - (seed % 3) * int(rng.integers(0, 40))])
    try:
        result: DecodedPicture | UnreadablePicture = read_picture(cut, 1_000_000)
    except UnreadablePicture as error:
        result = error
    assert isinstance(result, DecodedPicture) or str(result).endswith(".")


def test_png_without_pixels_is_refused() -> None:
    with pytest.raises(UnreadablePicture):
        read_picture(PNG + chunk(b"tEXt", b"x"))
