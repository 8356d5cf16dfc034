"""Pictures of 16 bits a sample keep every level from the file to the batch, and in the PNG that is written."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from data import deep_png as writer
from data.archive import ArchiveIndex, SplitMembers
from data.batches import Batches, as_levels, scaled
from data.decode import DecodingRules, read_picture
from data.deep_image import DeepImage, pixels_of, resized
from data.images import encode, sheet
from data.levels import levels, to_bits
from data.prepare import Preparation, Tile, describe, prepare
from data.readers.base import Data
from data.uploads import read_untrusted
from data.uploads.read_untrusted import SurveyOptions
from models.spec.resolve import resolve
from tests.support.deep_pictures import RAMP, Array, deep_noise, deep_png, samples_of
from tests.support.files import COLOUR, GREY, P3, SRGB, chunk, png, tiff
from tests.support.zips import noise, saved, zipped

DEEP = DecodingRules(bits=16)


def decoded(data: bytes, decoding: DecodingRules = DEEP) -> Array:
    """Decode a picture to samples uint16 [h, w, c]; Pillow gives grey with alpha as colour with alpha."""
    image = read_picture(data, decoding=decoding).image
    assert isinstance(image, DeepImage)
    grey = image.mode == "RGBA" and (image.samples[..., 1:3] == image.samples[..., :1]).all()
    return image.samples[..., [0, 3]] if grey else image.samples


# ---- files


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_every_bit(channels: int) -> None:
    pixels = deep_noise(13, 9, channels)
    assert np.array_equal(decoded(deep_png(pixels)), pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_level_of_a_png_is_kept(channels: int) -> None:
    pixels = np.roll(RAMP.repeat(channels, axis=2), 1000, axis=1)
    assert np.array_equal(decoded(deep_png(pixels)), pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_of_16_bits_keeps_every_bit(order: str, channels: int) -> None:
    pixels = deep_noise(13, 9, channels)
    assert np.array_equal(decoded(tiff(pixels, order=order)), pixels)


def test_tiff_with_white_as_zero_is_inverted_at_16_bits() -> None:
    assert np.array_equal(decoded(tiff(RAMP, white_is_zero=True)), 65535 - RAMP)


@pytest.mark.parametrize("depth", [10, 12, 14])
def test_significant_bits_are_spread_over_all_16(depth: int) -> None:
    full = (1 << depth) - 1
    pixels = np.arange(full + 1, dtype=np.uint16)[None, :, None]
    spread = decoded(deep_png(pixels), DecodingRules(depth=depth, bits=16))
    assert np.array_equal(spread, np.rint(pixels.astype(float) * 65535 / full))
    assert np.array_equal(decoded(tiff(pixels, bits=12)) if depth == 12 else spread, spread)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_picture_of_8_bits_uses_the_whole_range_of_16(mode: str) -> None:
    image = noise(13, 9).convert(mode)
    assert np.array_equal(decoded(saved(image)), pixels_of(image).astype(np.uint16) * 257)


def test_level_that_a_png_declares_transparent_is_compared_with_all_bits() -> None:
    data = png(RAMP, 16, GREY, chunk(b"tRNS", b"\x12\x34"))
    pixels = decoded(data)
    assert np.array_equal(pixels[..., :1], RAMP)
    assert np.array_equal(pixels[..., 1:] == 0, RAMP == 0x1234)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_of_16_bits_is_turned_as_its_exif_says(orientation: int) -> None:
    pixels, exif = deep_noise(13, 9), Image.Exif()
    exif[0x0112] = orientation
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(_upper(pixels), exif=exif))))
    shown = decoded(saved(Image.fromarray(pixels[..., 0]), exif=exif))
    assert np.array_equal(shown[..., 0] >> 8, np.asarray(upright))


def _upper(pixels: Array) -> Image.Image:
    return Image.fromarray((pixels[..., 0] >> 8).astype(np.uint8))


def test_colours_of_a_profile_stay_as_stored_with_a_note() -> None:
    pixels = deep_noise(13, 9, 3)
    with_profile = png_with_profile(pixels, P3)
    picture = read_picture(with_profile, decoding=DEEP)
    assert np.array_equal(pixels_of(picture.image), pixels)
    assert len(picture.notes) == 1
    assert "colours of 16 bits are taken as stored" in picture.notes[0]
    assert read_picture(png_with_profile(pixels, SRGB), decoding=DEEP).notes == ()


def png_with_profile(pixels: Array, profile: bytes) -> bytes:
    """Return a PNG with an ICC profile."""
    return png(pixels, 16, COLOUR, chunk(b"iCCP", b"x\0\0" + zlib.compress(profile)))


def test_rules_of_8_bits_read_a_picture_as_before() -> None:
    image = read_picture(deep_png(RAMP)).image
    assert isinstance(image, Image.Image)
    assert np.array_equal(np.asarray(image), RAMP[..., 0] >> 8)


# ---- preparation


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
def test_picture_of_the_right_side_is_prepared_without_change(fit: str, channels: int) -> None:
    image = DeepImage(RAMP.repeat(channels, axis=2))
    ready = prepare(image, Preparation(256, channels, fit, decoding=DEEP))  # type: ignore[arg-type]
    assert ready.dtype == np.uint16
    assert np.array_equal(ready, image.samples)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("fit", ["crop", "pad", "tiles"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("label_map", [False, True])
def test_16_bits_are_prepared_as_8_bits_are_within_rounding(
    mode: str, fit: str, channels: int, label_map: bool
) -> None:
    image = noise(50, 31, 1).convert(mode)
    how = Preparation(16, channels, fit, label_map, DEEP)  # type: ignore[arg-type]
    shallow, deep = (prepare(each, how, Tile(1, 2)) for each in (image, DeepImage.of(image)))
    assert deep.dtype == np.uint16
    # The 8-bit path rounds after blending, after converting and twice while resizing.
    assert np.abs(deep / 257 - shallow).max() < 2.5


def test_resizing_keeps_levels_between_those_of_8_bits() -> None:
    ready = prepare(DeepImage(RAMP), Preparation(32, 1, decoding=DEEP))
    exact = RAMP[..., 0].reshape(32, 8, 32, 8).mean(axis=(1, 3))
    assert np.abs(ready[2:-2, 2:-2, 0] - exact[2:-2, 2:-2]).max() <= 1
    assert len(np.unique(ready)) == 32 * 32


def test_transparent_parts_become_white_of_16_bits() -> None:
    pixels = np.concatenate([RAMP, np.where(RAMP < 1000, 0, 65535).astype(np.uint16)], axis=2)
    assert np.array_equal(DeepImage(pixels).on_white().samples, np.where(RAMP < 1000, 65535, RAMP))


def test_alpha_is_resized_at_its_own_bits() -> None:
    assert resized(RAMP, (64, 64), Image.Resampling.BICUBIC).dtype == np.uint16
    eight_bits = (RAMP >> 8).astype(np.uint8)
    expected = np.asarray(Image.fromarray(eight_bits[..., 0]).resize((64, 32), Image.Resampling.BICUBIC))
    assert np.array_equal(resized(eight_bits, (64, 32), Image.Resampling.BICUBIC)[..., 0], expected)


def test_description_says_that_16_bits_are_kept() -> None:
    assert (
        "keep all bits of a sample, as levels from 0 to 65535" in describe(Preparation(16, 1, decoding=DEEP))["steps"]
    )
    with_depth = describe(Preparation(16, 1, decoding=DecodingRules(depth=12, bits=16)))["steps"]
    assert "keep the 12 significant bits of a sample, as levels from 0 to 65535" in with_depth


def test_survey_tells_pictures_apart_that_differ_in_a_lower_bit_only(tmp_path: Path) -> None:
    flat = np.full((20, 20, 1), 4000, np.uint16)
    nearly = np.where(np.arange(400).reshape(20, 20, 1) == 7, 4001, flat).astype(np.uint16)
    archive = tmp_path / "x.zip"
    archive.write_bytes(zipped({"a.png": deep_png(flat), "b.png": deep_png(nearly), "c.png": deep_png(flat)}))
    hashes = {}
    for bits in (8, 16):
        options = SurveyOptions(10_000, palettes=True, decoding=DecodingRules(bits=bits))
        facts, _ = read_untrusted.survey(archive, ["a.png", "b.png", "c.png"], options)
        assert all(fact["flat"] and fact["grey"] for fact in facts)
        hashes[bits] = [fact["hash"] for fact in facts]
        palettes = [len(fact["palettes"][0]) for fact in facts]
        assert palettes == ([1, 1, 1] if bits == 8 else [1, 2, 1])
    assert len(set(hashes[8])) == 1
    assert hashes[16][0] == hashes[16][2] != hashes[16][1]


# ---- what is stored


def test_index_of_16_bits_is_read_back_and_that_of_8_bits_keeps_its_bytes() -> None:
    members = SplitMembers((("a",),))
    deep = ArchiveIndex(members, decoding=DecodingRules(depth=12, bits=16))
    assert deep.to_bytes().endswith(b'"reading":{"rules":2,"bits":12,"sample_bits":16}}')
    assert ArchiveIndex.from_bytes(deep.to_bytes()) == deep
    assert ArchiveIndex(members).to_bytes().endswith(b'"reading":{"rules":2,"bits":null}}')


# ---- batches


def test_every_level_survives_the_batch_in_float32() -> None:
    x = scaled(torch.from_numpy(RAMP))
    assert x.dtype == torch.float32
    exact = RAMP.astype(np.float64) / 65535 * 2 - 1
    assert np.abs(x.numpy() - exact).max() < 1e-7
    assert np.array_equal(as_levels(x, 16).numpy(), RAMP)
    assert np.array_equal(levels(x.numpy(), 16), RAMP)


@pytest.mark.parametrize("load", [None, 20])
def test_batches_hold_the_stored_levels(load: int | None) -> None:
    overrides = {"data": {"side": 16, "load": load}, "batch_size": 8}
    recipe = resolve("cyclegan", dataset="day2night", seed=1, overrides=overrides)[1]
    side = load or 16
    stored = torch.from_numpy(deep_noise(side, 10 * 3 * side)).reshape(10, 3, side, side)
    batches = Batches(recipe, Data(a=stored, b=stored), torch.device("cpu"))
    batch = batches.batch(0)
    assert batch.other is not None
    known = set(stored.flatten().tolist())
    for pictures in (batch.real, batch.other):
        assert pictures.shape == (8, 3, 16, 16)
        assert set(as_levels(pictures, 16).flatten().tolist()) <= known
    assert torch.equal(as_levels(batches.first(4).real, 16), batches.real[:4])


# ---- levels and files that are written


def test_8_bits_become_16_and_come_back_unchanged() -> None:
    eight_bits = np.arange(256, dtype=np.uint8)
    sixteen = to_bits(eight_bits, 16)
    assert sixteen.dtype == np.uint16
    assert (sixteen[0], sixteen[-1]) == (0, 65535)
    assert np.array_equal(to_bits(sixteen, 8), eight_bits)
    assert np.abs(to_bits(RAMP, 8) - RAMP / 257).max() <= 0.5
    assert to_bits(eight_bits, 8) is eight_bits


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (40, 33), (700, 400)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_written_png_holds_the_pixels(shape: tuple[int, int], channels: int) -> None:
    """The largest is filtered in several bands; half of the columns are smooth, so that every filter occurs."""
    height, width = shape
    pixels = deep_noise(width, height, channels)
    pixels[:, ::2] = np.arange(height)[:, None, None] * 90 + np.arange(channels)
    data = writer.encode(pixels)
    assert np.array_equal(decoded(data), pixels)
    if height * width < 10_000:
        assert np.array_equal(samples_of(data), pixels)
    assert writer.encode(pixels) == data


def test_smooth_picture_is_written_smaller_than_its_samples_packed() -> None:
    y, x = np.mgrid[0:128, 0:128]
    pixels = (32767 + 20000 * np.sin(x / 60) * np.cos(y / 45)).astype(np.uint16)[..., None]
    assert len(encode(pixels)) < 0.7 * len(deep_png(pixels))


@pytest.mark.parametrize("format_", ["WEBP", "JPEG"])
def test_formats_of_8_bits_get_rounded_levels(format_: str) -> None:
    pixels = deep_noise(20, 20, 3)
    options = {"lossless": True} if format_ == "WEBP" else {}
    assert encode(pixels, format_, **options) == encode(to_bits(pixels, 8), format_, **options)


def test_sheet_of_16_bits_has_grey_gaps() -> None:
    pictures = np.stack([RAMP, RAMP])
    paper = sheet(pictures, 2, gap=1)
    assert np.array_equal(paper[:, :256], RAMP)
    assert (paper[:, 256] == 32768).all()
