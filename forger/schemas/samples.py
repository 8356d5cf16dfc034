"""Define the JSON replies of /sample and of the pictures of a dataset."""

from typing import Literal

from pydantic import Field

from forger.schemas.base import Out

Format = Literal["png", "webp", "json", "npy", "zip", "txt"]


class Drawn(Out):
    model: str
    seed: int
    class_: int | Literal["each"] | None = Field(alias="class")


class Pictures(Drawn):
    images: list[str] = Field(description="PNG files in base64.")


class PointSamples(Drawn):
    points: list[tuple[float] | tuple[float, float]] = Field(description="Points on a line or in the plane.")


class Strings(Drawn):
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
