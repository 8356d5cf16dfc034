"""Only damage to the picture is damage: what lies beside the pixels cannot refuse them, in any format."""

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
    "large and of chance": lambda kind: chunk(kind, b"n\0\0" + np.random.default_rng(1).bytes(2 << 20)),
}


def colours(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(read_picture(data).image.convert("RGB"))


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("kind", ANCILLARY, ids=bytes.decode)
def test_no_ancillary_chunk_of_a_png_refuses_it(kind: bytes, nonsense: str) -> None:
    flawed = NONSENSE[nonsense](kind)
    data = png(PIXELS, 8, COLOUR, flawed)
    assert np.array_equal(colours(data), PIXELS)
    behind = data[: -len(chunk(b"IEND", b""))] + flawed + chunk(b"IEND", b"")
    assert np.array_equal(colours(behind), PIXELS)


@pytest.mark.parametrize("kind", [b"cHRM", b"pHYs", b"iCCP", b"gAMA", b"tEXt", b"eXIf"], ids=bytes.decode)
def test_what_was_passed_over_is_said(kind: bytes) -> None:
    for nonsense in ("a wrong checksum", "short") if kind != b"tEXt" else ("a wrong checksum",):
        (note,) = read_picture(png(PIXELS, 8, COLOUR, NONSENSE[nonsense](kind))).notes
        assert kind.decode() in note
    assert read_picture(png(PIXELS, 8, COLOUR, chunk(b"tEXt", b"Title\0A picture"))).notes == ()


def test_a_chunk_of_many_bytes_may_be_whole() -> None:
    name = b"a profile of two megabytes"
    grown = struct.pack(">I", len(ADOBE_RGB) + (2 << 20)) + ADOBE_RGB[4:] + bytes(2 << 20)
    found = read_picture(png(PIXELS, 8, COLOUR, chunk(b"iCCP", name + b"\0\0" + zlib.compress(grown))))
    assert found.profile is not None


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"IDAT"], ids=bytes.decode)
@pytest.mark.parametrize("way", ["checksum", "byte"])
def test_damage_to_the_picture_stays_damage(kind: bytes, way: str) -> None:
    data = bytearray(saved(noise(40, 30, 1).quantize(64)))
    place = data.index(kind)
    (size,) = struct.unpack_from(">I", data, place - 4)
    data[place + 4 + (size if way == "checksum" else size // 2)] ^= 0x40
    with pytest.raises(UnreadablePicture) as refused:
        read_picture(bytes(data))
    assert refused.value.fault in (Fault.DAMAGED, Fault.FORMAT)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_a_file_that_is_cut_short_is_damaged(format_: str) -> None:
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
def test_no_exif_refuses_a_picture(format_: str, nonsense: str) -> None:
    image, block = noise(40, 30, 1), EXIF_NONSENSE[nonsense]
    data = with_exif(saved(image, format_), format_, block)
    assert np.array_equal(colours(data), colours(saved(image, format_)))


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_true_exif_turns_it(format_: str, orientation: int, order: str) -> None:
    image = noise(40, 30, 1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain, data = saved(image, format_), saved(image, format_, exif=exif)
    if order == ">" and format_ != "TIFF":
        block = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
        data = with_exif(plain, format_, block)
    turned = read_picture(plain).image
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    wanted = turned if turn is None else turned.transpose(Image.Transpose(turn))
    assert np.array_equal(np.asarray(read_picture(data).image), np.asarray(wanted))


def with_exif(data: bytes, format_: str, block: bytes) -> bytes:
    if format_ == "JPEG":
        return data[:2] + b"\xff\xe1" + struct.pack(">H", 8 + len(block)) + b"Exif\0\0" + block + data[2:]
    if format_ == "PNG":
        place = data.index(b"IDAT") - 4
        return data[:place] + chunk(b"eXIf", block) + data[place:]
    if format_ == "WEBP":
        return extended(data, exif=block)
    true = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIII", 1, 270, 2, 1100, 26, 0) + b"x" * 1100
    whole = saved(noise(40, 30, 1), "AVIF", exif=true)
    assert true in whole
    return whole.replace(true, block.ljust(len(true), b"\xff"))


def extended(data: bytes, **chunks: bytes) -> bytes:
    """A plain WebP of 40 x 30 as one of the extended format, with more chunks behind."""
    flags = {"exif": 0x08, "xmp": 0x04, "iccp": 0x20}
    head = (
        struct.pack("<I", sum(flags[name] for name in chunks)) + (39).to_bytes(3, "little") + (29).to_bytes(3, "little")
    )
    names = {"exif": b"EXIF", "xmp": b"XMP ", "iccp": b"ICCP"}
    riff = [(b"VP8X", head), *((names[name], body) for name, body in chunks.items() if name == "iccp")]
    behind = [(names[name], body) for name, body in chunks.items() if name != "iccp"]

    def written(parts: list[tuple[bytes, bytes]]) -> bytes:
        return b"".join(kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in parts)

    body = b"WEBP" + written(riff) + data[12:] + written(behind)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("kind", ["xmp", "iccp"])
@pytest.mark.parametrize("body", [b"", b"\xff", b"nonsense" * 100], ids=["empty", "a byte", "text"])
def test_no_other_chunk_of_a_webp_refuses_it(kind: str, body: bytes) -> None:
    plain = saved(noise(40, 30, 1), "WEBP")
    assert np.array_equal(colours(extended(plain, **{kind: body})), colours(plain))


@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xE3, 0xEC, 0xED, 0xEE, 0xEF, 0xFE], ids=hex)
@pytest.mark.parametrize(
    "body", [b"", b"\0", b"JFIF\0", b"JFXX\0\x10", b"Exif\0\0", b"ICC_PROFILE\0", b"ICC_PROFILE\0\1\3x", b"MPF\0II*\0",
             b"Photoshop 3.0\x008BIM\4\4", b"Adobe", b"http://ns.adobe.com/xap/1.0/\0<x", bytes(1000)],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_no_segment_that_an_application_adds_refuses_a_jpeg(marker: int, body: bytes) -> None:
    plain = saved(noise(40, 30, 1), "JPEG")
    segment = bytes((0xFF, marker)) + struct.pack(">H", 2 + len(body)) + body
    first, later = plain[:2] + segment + plain[2:], plain[:20] + segment + plain[20:]
    for data in (first, later):
        assert np.array_equal(colours(data), colours(plain))


@pytest.mark.parametrize("tag", [270, 282, 296, 305, 306, 700, 33723, 34377, 34665, 34675, 34853, 40965, 42112, 65000])
@pytest.mark.parametrize("value", [(7, 9, 0x7FFFFFF0), (2, 0xFFFFFFFF, 8), (99, 3, 0), (4, 1, 8), (5, 1, 0xFFFFFF)])
@pytest.mark.parametrize("packing", [None, "tiff_lzw"])
def test_no_tag_beside_the_pixels_refuses_a_tiff(tag: int, value: tuple[int, int, int], packing: str | None) -> None:
    plain = saved(noise(40, 30, 1), "TIFF", compression=packing)
    assert np.array_equal(colours(with_tag(plain, tag, *value)), PIXELS)


def with_tag(data: bytes, tag: int, kind: int, count: int, value: int) -> bytes:
    """A little-endian TIFF with one more tag; its list is moved behind the file."""
    (place,) = struct.unpack_from("<I", data, 4)
    (number,) = struct.unpack_from("<H", data, place)
    entries = [data[place + 2 + 12 * at : place + 14 + 12 * at] for at in range(number)]
    entries = sorted(
        [*entries, struct.pack("<HHII", tag, kind, count, value)], key=lambda one: struct.unpack("<H", one[:2])
    )
    listed = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    padding = bytes(len(data) % 2)
    return data[:4] + struct.pack("<I", len(data) + len(padding)) + data[8:] + padding + listed


def test_what_is_taken_off_leaves_a_file_that_others_read() -> None:
    for format_ in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF"):
        exif = Image.Exif()
        exif[0x0112] = 6
        data = saved(noise(40, 30, 1), format_, exif=exif, icc_profile=ADOBE_RGB)
        with Image.open(io.BytesIO(strip_metadata(data).data)) as image:
            image.load()
            assert image.size in ((40, 30), (30, 40))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM"])
def test_bytes_changed_by_chance_give_a_picture_or_a_sentence(format_: str, seed: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if format_ in ("BMP", "GIF", "PPM") else {"exif": exif, "icc_profile": ADOBE_RGB}
    data = bytearray(saved(noise(24, 20, 1), format_, **options))
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(data), 1 + seed % 7):
        data[place] = rng.integers(0, 256)
    cut = bytes(data[: len(data) - (seed % 3) * int(rng.integers(0, 40))])
    try:
        found: DecodedPicture | UnreadablePicture = read_picture(cut, 1_000_000)
    except UnreadablePicture as error:
        found = error
    assert isinstance(found, DecodedPicture) or str(found).endswith(".")


def test_a_png_inside_out_is_no_picture() -> None:
    with pytest.raises(UnreadablePicture):
        read_picture(PNG + chunk(b"tEXt", b"x"))
