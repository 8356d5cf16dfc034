"""Convert a picture with an ICC profile to sRGB."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

PROFILE_MODES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L", "LA"), "CMYK": ("CMYK",)}
"""modes that a profile of each colour space is for"""
MAX_SRGB_DIFFERENCE = 2
"""levels by which a profile may differ from sRGB and still is it: profiles and their readers round"""
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_SRGB = ImageCms.createProfile("sRGB")


class Converted(NamedTuple):
    """`profile` is what the profile calls itself, None where colours were sRGB's already or it cannot be used."""

    image: Image.Image
    profile: str | None = None
    flaw: str | None = None


def to_srgb(image: Image.Image, profile: bytes) -> Converted:
    """An image of mode L, LA, RGB, RGBA or CMYK by relative colorimetry; alpha stays as it is."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if image.mode not in PROFILE_MODES.get(space, ()):
            return Converted(image, flaw=f"ICC profile (it is for {space or 'nothing'} and not for {image.mode})")
        colour = image.convert(PROFILE_MODES[space][0])
        transform = ImageCms.buildTransform(source, _SRGB, colour.mode, "RGB", _INTENT)
        if _is_same(transform, colour.mode):
            return Converted(image)
        made = ImageCms.applyTransform(colour, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return Converted(image, flaw="ICC profile (it is none, or damaged)")
    if made is None:
        return Converted(image, flaw="ICC profile (it cannot be applied)")
    made = made.getchannel("G") if space == "GRAY" else made
    if image.mode.endswith("A"):
        made.putalpha(image.getchannel("A"))
    return Converted(made, _name(source))


def _is_same(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether it changes nothing that can be seen, by a lattice of colours."""
    levels = np.arange(0, 256, 15).astype(np.uint8)
    if mode == "CMYK":
        return False
    lattice = levels[:, None] if mode == "L" else np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    picture = Image.fromarray(lattice if mode == "L" else lattice[None])
    made = ImageCms.applyTransform(picture, transform)
    before = np.asarray(picture.convert("RGB"), np.int16)
    return made is not None and bool(np.abs(np.asarray(made, np.int16) - before).max() <= MAX_SRGB_DIFFERENCE)


def _name(source: ImageCms.ImageCmsProfile) -> str:
    """As much of its own words as fits into a line."""
    said = (source.profile.profile_description or "").split("\n")[0]
    bare = "".join(character for character in said if character.isascii() and character.isprintable())
    return bare.strip()[:60] or "an unnamed profile"
