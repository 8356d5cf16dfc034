"""The report on an uploaded dataset, as it is stored and answered."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
MAX_LISTED = 50
"""entries of a long list that a report names"""


@dataclass(frozen=True)
class Listed(Generic[T]):
    """The first of a list, and how many there are in all."""

    total: int
    first: list[T]

    @classmethod
    def of(cls, items: Iterable[T]) -> "Listed[T]":
        whole = list(items)
        return cls(len(whole), list(islice(whole, MAX_LISTED)))


@dataclass(frozen=True)
class Span:
    """Pixels."""

    least: int
    median: float
    most: int


@dataclass(frozen=True)
class Class:
    name: str
    pictures: int


@dataclass(frozen=True)
class Corrupt:
    """A member that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Transform:
    """What training will apply to each picture, in order; a job's data.side and data.channels change the values."""

    side: int
    channels: int
    crop: str
    filter: str
    steps: list[str]
    changed_by: str


@dataclass(frozen=True)
class Report:
    """Figures are of the pictures that are used. Names are those of the archive's members.

    `shorter_edge` is the median, which reports of older versions lack.

    `balance` is the smallest class over the largest; `enlarged` counts pictures smaller than the transform's side.
    `held_out` counts those that are kept for evaluation; `cut` is the share of pixels that no example shows, the median
    of the pictures; `profiles` counts colours that were turned into sRGB's, by the profile's own name; `skipped` names
    parts of files that were damaged and are no part of the picture; `folders` says which folder each of two piles was.
    Reports of older versions lack these five.
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
    held_out: int = 0
    cut: float = 0.0
    profiles: dict[str, int] = field(default_factory=dict)
    skipped: Listed[Corrupt] = field(default_factory=lambda: Listed(0, []))
    shorter_edge: int = 0
    folders: dict[str, str] = field(default_factory=dict)
