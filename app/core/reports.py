"""What an intake says of an uploaded dataset. Stored with it, answered as it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
LISTED = 50
"""entries of a long list that a report names"""


@dataclass(frozen=True)
class Listed(Generic[T]):
    """The first of a list, and how many there are in all."""

    total: int
    first: list[T]

    @classmethod
    def of(cls, items: Iterable[T]) -> "Listed[T]":
        whole = list(items)
        return cls(len(whole), list(islice(whole, LISTED)))


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
    shorter_edge: int = 0
