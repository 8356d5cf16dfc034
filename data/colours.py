"""Convert pictures with ICC profiles to sRGB."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from data.deep_image import AnyImage, DeepImage

PROFILE_MODES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L", "LA"), "CMYK": ("CMYK",)}
"""modes of images to which a profile applies, by its colour space"""
MAX_SRGB_DIFFERENCE = 2
"""largest difference in levels at which a profile still counts as sRGB, since profiles and their readers round"""
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_SRGB = ImageCms.createProfile("sRGB")


class Converted(NamedTuple):
    """A converted image.

    `profile` is the name of the profile; None if the colours were sRGB already, or if it cannot be used. `flaw` then
    says why.
    """

    image: AnyImage
    profile: str | None = None
    flaw: str | None = None


def to_srgb(image: AnyImage, profile: bytes) -> Converted:
    """Convert an image of mode L, LA, RGB, RGBA or CMYK to sRGB by relative colorimetry; alpha is unchanged.

    Colours of 16 bits stay as they are, since Pillow converts 8 bits only: a profile that would change them is a flaw.
    """
    if isinstance(image, DeepImage):
        small = to_srgb(Image.new(image.mode, (1, 1)), profile)
        converts = f"ICC profile ({small.profile}: colours of 16 bits are taken as stored)" if small.profile else None
        return Converted(image, flaw=small.flaw or converts)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if image.mode not in PROFILE_MODES.get(space, ()):
            return Converted(image, flaw=f"ICC profile (it is for {space or 'nothing'} and not for {image.mode})")
        colour = image.convert(PROFILE_MODES[space][0])
        transform = ImageCms.buildTransform(source, _SRGB, colour.mode, "RGB", _INTENT)
        if _is_same(transform, colour.mode):
            return Converted(image)
        converted = ImageCms.applyTransform(colour, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return Converted(image, flaw="ICC profile (it is none, or damaged)")
    if converted is None:
        return Converted(image, flaw="ICC profile (it cannot be applied)")
    converted = converted.getchannel("G") if space == "GRAY" else converted
    if image.mode.endswith("A"):
        converted.putalpha(image.getchannel("A"))
    return Converted(converted, _name(source))


def _is_same(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether the transform changes a lattice of colours by at most MAX_SRGB_DIFFERENCE levels."""
    levels = np.arange(0, 256, 15).astype(np.uint8)
    if mode == "CMYK":
        return False
    lattice = levels[:, None] if mode == "L" else np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    picture = Image.fromarray(lattice if mode == "L" else lattice[None])
    after = ImageCms.applyTransform(picture, transform)
    before = np.asarray(picture.convert("RGB"), np.int16)
    return after is not None and bool(np.abs(np.asarray(after, np.int16) - before).max() <= MAX_SRGB_DIFFERENCE)


def _name(source: ImageCms.ImageCmsProfile) -> str:
    """Return the profile's description, shortened to printable ASCII of one line."""
    description = (source.profile.profile_description or "").split("\n")[0]
    printable = "".join(character for character in description if character.isascii() and character.isprintable())
    return printable.strip()[:60] or "an unnamed profile"
