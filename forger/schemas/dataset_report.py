"""Define the report on an uploaded dataset."""

from typing import Generic, TypeVar

from forger.schemas.base import Out

T = TypeVar("T")


class Listed(Out, Generic[T]):
    """The first entries of a list, and the number of all."""

    total: int
    first: list[T]


class Span(Out):
    """The least, the median and the most of a length in pixels."""

    least: int
    median: float
    most: int


class Class(Out):
    name: str
    pictures: int


class Corrupt(Out):
    """A member of the archive that was left out, and why."""

    name: str
    reason: str


class Transform(Out):
    """The steps that training applies to each picture, in order; a job's data.side and data.channels change them."""

    side: int
    channels: int
    crop: str
    filter: str
    steps: list[str]
    changed_by: str


class Report(Out):
    """A report on the used pictures of an archive, with the names of its members.

    `balance` is the smallest class over the largest; `enlarged` counts pictures smaller than the transform's side;
    `piles` counts the pictures of each domain or half. `held_out` counts pictures kept for evaluation; `cut` is the
    share of pixels that no example shows, the median over the pictures; `profiles` counts pictures converted to sRGB,
    by the name of their profile; `skipped` names damaged parts of files that do not belong to the picture; `folders`
    maps each of two domains to its folder; `shorter_edge` is the median, in pixels. Datasets of older versions have
    zero or nothing in the last six.
    """

    layout: str
    pictures: int
    left_out: int
    archive_bytes: int
    archive_sha256: str
    width: Span
    height: Span
    formats: dict[str, int]
    grey: int
    colour: int
    alpha: int
    sixteen_bit: int
    enlarged: int
    classes: Listed[Class]
    balance: float | None
    piles: dict[str, int]
    corrupt: Listed[Corrupt]
    near_constant: Listed[str]
    duplicates: Listed[list[str]]
    ignored: Listed[str]
    notes: list[str]
    transform: Transform
    held_out: int
    cut: float
    profiles: dict[str, int]
    skipped: Listed[Corrupt]
    shorter_edge: int
    folders: dict[str, str]
