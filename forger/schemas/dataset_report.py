"""The report on an uploaded dataset, as the service answers it."""

from typing import Generic, TypeVar

from forger.schemas.base import Out

T = TypeVar("T")


class Listed(Out, Generic[T]):
    """The first of a list, and how many there are in all."""

    total: int
    first: list[T]


class Span(Out):
    """Pixels."""

    least: int
    median: float
    most: int


class Class(Out):
    name: str
    pictures: int


class Corrupt(Out):
    """A member that was left out, and why."""

    name: str
    reason: str


class Transform(Out):
    """What training will apply to each picture, in order; a job's data.side and data.channels change the values."""

    side: int
    channels: int
    crop: str
    filter: str
    steps: list[str]
    changed_by: str


class Report(Out):
    """Figures are of the pictures that are used. Names are those of the archive's members.

    `balance` is the smallest class over the largest; `enlarged` counts pictures smaller than the transform's side.
    `held_out` counts those that are kept for evaluation; `cut` is the share of pixels that no example shows, the median
    of the pictures; `profiles` counts colours that were turned into sRGB's, by the profile's own name; `skipped` names
    parts of files that were damaged and are no part of the picture; `folders` says which folder each of two piles was;
    `shorter_edge` is the median. Of a dataset that an older version took in, these six are zero or empty.
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
