"""Define the JSON replies of /sample and of the pictures of a dataset."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out

Format = Literal["png", "webp", "json", "npy", "zip", "txt"]


def _is_none(value: object) -> bool:
    return value is None


class Drawn(Out):
    model: str
    seed: int
    class_: int | Literal["each"] | None = Field(alias="class")
    latents: list[list[float]] | None = Field(None, exclude_if=_is_none, description="If they were requested.")
    classes: list[int | None] | None = Field(
        None, exclude_if=_is_none, description="With the latents: the class of each, null for a model without classes."
    )


class Latents(Out):
    """The part of a reply that describes latents."""

    model: str
    seed: int
    latents: list[list[float]]
    classes: list[int | None]


class Pictures(Drawn):
    images: list[str] = Field(description="PNG files in base64.")


class PointSamples(Drawn):
    points: list[tuple[float] | tuple[float, float]] = Field(description="Points on a line or in the plane.")


class Strings(Drawn):
    strings: list[str]


class Decoded(Out):
    """Pictures, points or strings from latents that were sent."""

    model: str
    class_: int | None = Field(alias="class")


class DecodedPictures(Decoded):
    images: list[str] = Field(description="PNG files in base64.")


class DecodedPoints(Decoded):
    points: list[tuple[float] | tuple[float, float]] = Field(description="Points on a line or in the plane.")


class DecodedStrings(Decoded):
    strings: list[str]


class Shown(Out):
    """Examples of a dataset."""

    dataset: str
    seed: int
    class_: int | Literal["each"] | None = Field(alias="class")
    domain: Literal["a", "b"] | None = Field(description="Of a dataset with two domains.")


class DatasetPictures(Shown):
    images: list[str] = Field(description="PNG files in base64.")


class DatasetPoints(Shown):
    points: list[tuple[float] | tuple[float, float]] = Field(description="Points on a line or in the plane.")


class DatasetStrings(Shown):
    strings: list[str]
