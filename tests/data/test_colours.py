"""Pictures are read as their visible colours, whatever their bit depth, flags, colour profile or file format."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data.decode import DecodingRules, read_picture
from data.deep_image import pixels_of
from tests.support.files import (
    ADOBE_RGB,
    CHANNELS,
    COLOUR,
    COLOUR_ALPHA,
    GREY,
    GREY_ALPHA,
    P3,
    SRGB,
    SWAPPED,
    bmp,
    chunk,
    converted,
    png,
    tiff,
)  # fmt: skip
from tests.support.zips import noise, saved

TYPES = {"grey": GREY, "colour": COLOUR, "grey with alpha": GREY_ALPHA, "colour with alpha": COLOUR_ALPHA}


def samples(channels: int, bits: int, seed: int = 1) -> NDArray[np.uint16]:
    """Draw samples [9, 13, channels] of `bits` bits each; the largest level is among them."""
    drawn = np.random.default_rng(seed).integers(0, 1 << bits, (9, 13, channels), np.uint16)
    drawn[0, 0] = (1 << bits) - 1
    return drawn


def decoded_rgba(data: bytes, bits: int | None = None) -> NDArray[np.uint8]:
    """Decode a file and return it as RGBA [h, w, 4]."""
    return np.asarray(read_picture(data, decoding=DecodingRules(depth=bits)).image.convert("RGBA"))


def as_rgba(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return 8-bit samples [h, w, c] of any number of channels as RGBA."""
    colour = values[..., : 1 if values.shape[2] < 3 else 3]
    alpha = values[..., -1:] if values.shape[2] in (2, 4) else np.full_like(values[..., :1], 255)
    return np.concatenate([np.broadcast_to(colour, (*colour.shape[:2], 3)), alpha], axis=2).astype(np.uint8)


# ---- bit depth


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_16_bit_png_keeps_the_upper_8_of_its_significant_bits(kind: str, bits: int) -> None:
    levels = samples(CHANNELS[TYPES[kind]], bits)
    data = png(levels, 16, TYPES[kind])
    assert np.array_equal(decoded_rgba(data, bits), as_rgba(levels >> (bits - 8)))
    read = read_picture(data)
    assert read.sixteen_bit
    if bits <= 14:
        assert read.reach == (1 << bits) - 1
    colour = as_rgba(levels >> 8)[..., :3]
    assert np.array_equal(decoded_rgba(data)[..., :3], colour), "without declared bits, the upper 8 of all 16"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [12, 16])
def test_16_bit_tiff_keeps_the_upper_8_of_its_significant_bits(order: str, channels: int, bits: int) -> None:
    levels = samples(channels, bits)
    data = tiff(levels, order=order)
    assert np.array_equal(decoded_rgba(data, bits), as_rgba(levels >> (bits - 8)))
    compressed = io.BytesIO()
    if channels == 1:
        Image.fromarray(levels[..., 0]).save(compressed, "TIFF", compression="tiff_lzw")
        assert np.array_equal(decoded_rgba(compressed.getvalue(), bits), as_rgba(levels >> (bits - 8)))


def test_tiff_that_declares_12_bits_is_read_as_12_bits() -> None:
    levels = samples(1, 12)
    data = tiff(levels, bits=12)
    assert np.array_equal(decoded_rgba(data), as_rgba(levels >> 4))
    assert np.array_equal(decoded_rgba(data, 16), as_rgba(levels >> 4))
    assert read_picture(data).reach is None


@pytest.mark.parametrize("bits", [12, 16])
def test_tiff_with_white_as_zero_is_inverted(bits: int) -> None:
    levels = samples(1, bits)
    full = (1 << bits) - 1
    assert np.array_equal(decoded_rgba(tiff(levels, white_is_zero=True), bits), as_rgba((full - levels) >> (bits - 8)))


def test_pgm_is_scaled_by_the_largest_level_in_its_header() -> None:
    levels = samples(1, 12)[..., 0]
    data = b"P5 13 9 4095\n" + levels.astype(">u2").tobytes()
    assert np.abs(decoded_rgba(data)[..., 0].astype(int) - np.round(levels / 4095 * 255)).max() <= 1
    assert read_picture(data).reach is None


# ---- transparency


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("extra_bits", [False, True])
def test_transparent_grey_level_of_a_png_is_applied_at_every_depth(depth: int, extra_bits: bool) -> None:
    """Bits of the transparent level beyond the bit depth of the picture are ignored."""
    levels = samples(1, depth)
    level = int(levels[4, 4, 0])
    beyond = 0 if depth == 16 or not extra_bits else 1 << depth
    data = png(levels, depth, GREY, chunk(b"tRNS", struct.pack(">H", level | beyond)))
    decoded = decoded_rgba(data)
    assert np.array_equal(decoded[..., 3], np.where(levels[..., 0] == level, 0, 255))
    expected = levels >> 8 if depth == 16 else levels * (255 // ((1 << depth) - 1))
    assert np.array_equal(decoded[..., 0], expected[..., 0])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("difference", [0, 1])
def test_only_the_exact_transparent_colour_of_a_png_is_transparent(depth: int, difference: int) -> None:
    """A colour that differs in the lowest bit stays opaque."""
    levels = samples(3, depth)
    levels[2, 2] = levels[4, 4] ^ 1
    transparent = [int(value) for value in levels[4, 4] ^ difference]
    decoded = decoded_rgba(png(levels, depth, COLOUR, chunk(b"tRNS", struct.pack(">3H", *transparent))))
    assert np.array_equal(decoded[..., 3] == 0, (levels == transparent).all(axis=2))
    assert (decoded[..., 3] == 0).any()


@pytest.mark.parametrize("bits", [12, 16])
def test_declared_bits_do_not_change_which_level_is_transparent(bits: int) -> None:
    levels = samples(1, 12)
    data = png(levels, 16, GREY, chunk(b"tRNS", struct.pack(">H", int(levels[4, 4, 0]))))
    assert np.array_equal(decoded_rgba(data, bits)[..., 3] == 0, levels[..., 0] == levels[4, 4, 0])


def test_bmp_whose_alpha_is_all_zero_is_opaque() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (9, 13, 4), np.uint8)
    assert np.array_equal(decoded_rgba(bmp(pixels)), pixels)
    pixels[..., 3] = 0
    assert np.array_equal(decoded_rgba(bmp(pixels))[..., :3], pixels[..., :3])
    assert (decoded_rgba(bmp(pixels))[..., 3] == 255).all()
    assert "opaque" in read_picture(bmp(pixels)).notes[0]


# ---- colour profiles

PROFILES = {"Adobe RGB": ADOBE_RGB, "Display P3": P3, "swapped": SWAPPED}
WITH_PROFILE: dict[str, dict[str, Any]] = {
    "PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "TIFF": {},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize(
    ("format_", "alpha"),
    [(name, alpha) for name in WITH_PROFILE for alpha in (False, True) if name != "JPEG" or not alpha],
)
def test_colours_of_a_profile_become_srgb(name: str, format_: str, alpha: bool) -> None:
    image = Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 60).convert("RGB")
    image = Image.blend(image, Image.linear_gradient("L").resize((40, 30)).convert("RGB"), 0.5)
    image.putpixel((0, 0), (255, 0, 0))
    if alpha:
        image.putalpha(Image.linear_gradient("L").resize((40, 30)))
    plain = saved(image, format_, **WITH_PROFILE[format_])
    data = saved(image, format_, icc_profile=PROFILES[name], **WITH_PROFILE[format_])
    unprofiled, decoded = read_picture(plain), read_picture(data)
    before = np.asarray(unprofiled.image.convert("RGB"))
    assert (unprofiled.profile, unprofiled.notes) == (None, ())
    assert "RGB" in (decoded.profile or "") or name == "swapped"
    expected = converted(before, PROFILES[name])
    assert np.abs(np.asarray(decoded.image.convert("RGB")).astype(int) - expected).max() <= 1
    assert np.abs(expected.astype(int) - before).max() > 5
    assert decoded.image.mode == unprofiled.image.mode
    if alpha:
        assert np.array_equal(pixels_of(decoded.image)[..., -1], pixels_of(unprofiled.image)[..., -1])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("colour", [COLOUR, COLOUR_ALPHA])
def test_a_profile_is_applied_at_every_depth(depth: int, colour: int) -> None:
    levels = samples(CHANNELS[colour], depth)
    profile_chunk = chunk(b"iCCP", b"x\0\0" + zlib.compress(SWAPPED))
    decoded = decoded_rgba(png(levels, depth, colour, profile_chunk))
    eight_bit = as_rgba(levels >> (depth - 8))
    expected = converted(np.ascontiguousarray(eight_bit[..., :3]), SWAPPED)
    assert np.abs(decoded[..., :3].astype(int) - expected).max() <= 1
    assert np.array_equal(decoded[..., 3], eight_bit[..., 3])


@pytest.mark.parametrize("format_", WITH_PROFILE)
def test_srgb_profile_changes_no_pixel(format_: str) -> None:
    image = noise(40, 30, 1)
    decoded = read_picture(saved(image, format_, icc_profile=SRGB, **WITH_PROFILE[format_]))
    assert (decoded.profile, decoded.notes) == (None, ())
    plain = read_picture(saved(image, format_, **WITH_PROFILE[format_])).image
    assert np.array_equal(np.asarray(decoded.image), np.asarray(plain))


@pytest.mark.parametrize("format_", WITH_PROFILE)
@pytest.mark.parametrize(
    "invalid_profile",
    [b"nonsense", ADOBE_RGB[:200], bytes(3000), b"\0"],
    ids=["text", "cut short", "zeros", "one byte"],
)
def test_invalid_profile_is_ignored_with_a_note(format_: str, invalid_profile: bytes) -> None:
    image = noise(40, 30, 1)
    decoded = read_picture(saved(image, format_, icc_profile=invalid_profile, **WITH_PROFILE[format_]))
    plain = read_picture(saved(image, format_, **WITH_PROFILE[format_])).image
    assert np.array_equal(np.asarray(decoded.image), np.asarray(plain))
    assert decoded.profile is None
    assert ["ICC" in note for note in decoded.notes] == [True]


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_rgb_profile_of_a_grey_picture_is_ignored_with_a_note(format_: str) -> None:
    image = noise(40, 30, 1, "L")
    decoded = read_picture(saved(image, format_, icc_profile=ADOBE_RGB))
    assert np.array_equal(np.asarray(decoded.image), np.asarray(read_picture(saved(image, format_)).image))
    assert "not for L" in decoded.notes[0]


# ---- frames, and the first version of the reading rules


def test_gif_is_read_as_its_first_frame() -> None:
    frames = [noise(40, 30, seed).quantize(64) for seed in (1, 2)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    decoded = read_picture(out.getvalue())
    assert decoded.format == "GIF"
    assert np.array_equal(np.asarray(decoded.image.convert("RGB")), np.asarray(frames[0].convert("RGB")))


def test_datasets_of_reading_rules_1_are_read_as_before() -> None:
    """Rules 1 take the upper 8 of 16 bits, ignore profiles and keep alpha as it is stored."""
    rules_1 = DecodingRules(rules=1)
    levels = samples(1, 12)
    assert np.array_equal(np.asarray(read_picture(png(levels, 16, GREY), decoding=rules_1).image), levels[..., 0] >> 8)
    image = noise(40, 30, 1)
    data = saved(image, icc_profile=SWAPPED)
    assert np.array_equal(np.asarray(read_picture(data, decoding=rules_1).image), np.asarray(image))
