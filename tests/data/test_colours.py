"""A picture means its visible colours: whatever its depth, its flags, its profile and its format."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data.decode import Reading, read_picture
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
    """Of all levels of so many bits, the largest among them."""
    drawn = np.random.default_rng(seed).integers(0, 1 << bits, (9, 13, channels), np.uint16)
    drawn[0, 0] = (1 << bits) - 1
    return drawn


def shown(data: bytes, bits: int | None = None) -> NDArray[np.uint8]:
    """[h, w, 4]: as RGBA."""
    return np.asarray(read_picture(data, reading=Reading(bits=bits)).image.convert("RGBA"))


def as_rgba(values: NDArray[Any]) -> NDArray[np.uint8]:
    """[h, w, c] of 8 bits."""
    colour = values[..., : 1 if values.shape[2] < 3 else 3]
    alpha = values[..., -1:] if values.shape[2] in (2, 4) else np.full_like(values[..., :1], 255)
    return np.concatenate([np.broadcast_to(colour, (*colour.shape[:2], 3)), alpha], axis=2).astype(np.uint8)


# ---- depth


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_png_of_16_bits_keeps_the_upper_8_of_those_that_count(kind: str, bits: int) -> None:
    given = samples(CHANNELS[TYPES[kind]], bits)
    data = png(given, 16, TYPES[kind])
    assert np.array_equal(shown(data, bits), as_rgba(given >> (bits - 8)))
    read = read_picture(data)
    assert read.sixteen_bit
    if bits <= 14:
        assert read.reach == (1 << bits) - 1
    colour = as_rgba(given >> 8)[..., :3]
    assert np.array_equal(shown(data)[..., :3], colour), "undeclared: of all 16"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [12, 16])
def test_so_does_a_tiff(order: str, channels: int, bits: int) -> None:
    given = samples(channels, bits)
    data = tiff(given, order=order)
    assert np.array_equal(shown(data, bits), as_rgba(given >> (bits - 8)))
    packed = io.BytesIO()
    if channels == 1:
        Image.fromarray(given[..., 0]).save(packed, "TIFF", compression="tiff_lzw")
        assert np.array_equal(shown(packed.getvalue(), bits), as_rgba(given >> (bits - 8)))


def test_twelve_bits_that_are_declared_are_used_unasked() -> None:
    given = samples(1, 12)
    data = tiff(given, bits=12)
    assert np.array_equal(shown(data), as_rgba(given >> 4))
    assert np.array_equal(shown(data, 16), as_rgba(given >> 4))
    assert read_picture(data).reach is None


@pytest.mark.parametrize("bits", [12, 16])
def test_least_levels_may_be_white(bits: int) -> None:
    given = samples(1, bits)
    full = (1 << bits) - 1
    assert np.array_equal(shown(tiff(given, white_is_zero=True), bits), as_rgba((full - given) >> (bits - 8)))


def test_a_pgm_says_its_largest_level() -> None:
    given = samples(1, 12)[..., 0]
    data = b"P5 13 9 4095\n" + given.astype(">u2").tobytes()
    assert np.abs(shown(data)[..., 0].astype(int) - np.round(given / 4095 * 255)).max() <= 1
    assert read_picture(data).reach is None


# ---- transparency


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("noisy", [False, True])
def test_grey_of_one_level_is_transparent_at_every_depth(depth: int, noisy: bool) -> None:
    """Bits of the level beyond the picture's depth say nothing."""
    given = samples(1, depth)
    level = int(given[4, 4, 0])
    beyond = 0 if depth == 16 or not noisy else 1 << depth
    data = png(given, depth, GREY, chunk(b"tRNS", struct.pack(">H", level | beyond)))
    found = shown(data)
    assert np.array_equal(found[..., 3], np.where(given[..., 0] == level, 0, 255))
    wanted = given >> 8 if depth == 16 else given * (255 // ((1 << depth) - 1))
    assert np.array_equal(found[..., 0], wanted[..., 0])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("near", [0, 1])
def test_so_is_one_colour(depth: int, near: int) -> None:
    """And no colour but it, however near."""
    given = samples(3, depth)
    given[2, 2] = given[4, 4] ^ 1
    level = [int(value) for value in given[4, 4] ^ near]
    found = shown(png(given, depth, COLOUR, chunk(b"tRNS", struct.pack(">3H", *level))))
    assert np.array_equal(found[..., 3] == 0, (given == level).all(axis=2))
    assert (found[..., 3] == 0).any()


@pytest.mark.parametrize("bits", [12, 16])
def test_depth_changes_no_level(bits: int) -> None:
    given = samples(1, 12)
    data = png(given, 16, GREY, chunk(b"tRNS", struct.pack(">H", int(given[4, 4, 0]))))
    assert np.array_equal(shown(data, bits)[..., 3] == 0, given[..., 0] == given[4, 4, 0])


def test_a_bmp_without_any_alpha_is_opaque() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (9, 13, 4), np.uint8)
    assert np.array_equal(shown(bmp(pixels)), pixels)
    pixels[..., 3] = 0
    assert np.array_equal(shown(bmp(pixels))[..., :3], pixels[..., :3])
    assert (shown(bmp(pixels))[..., 3] == 255).all()
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
    stored, found = read_picture(plain), read_picture(data)
    before = np.asarray(stored.image.convert("RGB"))
    assert (stored.profile, stored.notes) == (None, ())
    assert "RGB" in (found.profile or "") or name == "swapped"
    wanted = converted(before, PROFILES[name])
    assert np.abs(np.asarray(found.image.convert("RGB")).astype(int) - wanted).max() <= 1
    assert np.abs(wanted.astype(int) - before).max() > 5
    assert found.image.mode == stored.image.mode
    if alpha:
        assert found.image.getchannel("A").tobytes() == stored.image.getchannel("A").tobytes()


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("colour", [COLOUR, COLOUR_ALPHA])
def test_a_profile_is_applied_at_every_depth(depth: int, colour: int) -> None:
    given = samples(CHANNELS[colour], depth)
    packed = chunk(b"iCCP", b"x\0\0" + zlib.compress(SWAPPED))
    found = shown(png(given, depth, colour, packed))
    eight = as_rgba(given >> (depth - 8))
    assert np.abs(found[..., :3].astype(int) - converted(np.ascontiguousarray(eight[..., :3]), SWAPPED)).max() <= 1
    assert np.array_equal(found[..., 3], eight[..., 3])


@pytest.mark.parametrize("format_", WITH_PROFILE)
def test_srgb_itself_changes_nothing(format_: str) -> None:
    image = noise(40, 30, 1)
    found = read_picture(saved(image, format_, icc_profile=SRGB, **WITH_PROFILE[format_]))
    assert (found.profile, found.notes) == (None, ())
    plain = read_picture(saved(image, format_, **WITH_PROFILE[format_])).image
    assert np.array_equal(np.asarray(found.image), np.asarray(plain))


@pytest.mark.parametrize("format_", WITH_PROFILE)
@pytest.mark.parametrize(
    "flawed", [b"nonsense", ADOBE_RGB[:200], bytes(3000), b"\0"], ids=["text", "cut", "zeros", "one"]
)
def test_a_profile_that_is_none_is_passed_over(format_: str, flawed: bytes) -> None:
    image = noise(40, 30, 1)
    found = read_picture(saved(image, format_, icc_profile=flawed, **WITH_PROFILE[format_]))
    plain = read_picture(saved(image, format_, **WITH_PROFILE[format_])).image
    assert np.array_equal(np.asarray(found.image), np.asarray(plain))
    assert found.profile is None
    assert ["ICC" in note for note in found.notes] == [True]


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_a_profile_for_other_colours_is_passed_over(format_: str) -> None:
    image = noise(40, 30, 1, "L")
    found = read_picture(saved(image, format_, icc_profile=ADOBE_RGB))
    assert np.array_equal(np.asarray(found.image), np.asarray(read_picture(saved(image, format_)).image))
    assert "not for L" in found.notes[0]


# ---- first frames


def test_a_gif_is_its_first_frame() -> None:
    frames = [noise(40, 30, seed).quantize(64) for seed in (1, 2)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    found = read_picture(out.getvalue())
    assert found.format == "GIF"
    assert np.array_equal(np.asarray(found.image.convert("RGB")), np.asarray(frames[0].convert("RGB")))


def test_datasets_of_the_first_rules_are_read_as_they_were() -> None:
    """Upper 8 of 16 bits, no profile, alpha as it is stored."""
    first = Reading(rules=1)
    given = samples(1, 12)
    assert np.array_equal(np.asarray(read_picture(png(given, 16, GREY), reading=first).image), given[..., 0] >> 8)
    image = noise(40, 30, 1)
    data = saved(image, icc_profile=SWAPPED)
    assert np.array_equal(np.asarray(read_picture(data, reading=first).image), np.asarray(image))
