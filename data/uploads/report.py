"""The report on an uploaded dataset. Names of fields are those stored and returned."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
MAX_LISTED = 50
"""most entries of a list in a report"""


@dataclass(frozen=True)
class Listed(Generic[T]):
    """The length of a list, and its first MAX_LISTED entries."""

    total: int
    first: list[T]

    @classmethod
    def of(cls, items: Iterable[T]) -> "Listed[T]":
        whole = list(items)
        return cls(len(whole), list(islice(whole, MAX_LISTED)))


@dataclass(frozen=True)
class Span:
    """Smallest, median and largest value, in pixels."""

    least: int
    median: float
    most: int


@dataclass(frozen=True)
class Class:
    """A class and the number of its pictures."""

    name: str
    pictures: int


@dataclass(frozen=True)
class Corrupt:
    """A member that was left out, or damaged metadata of one, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Transform:
    """How pictures are prepared, step by step, unless a job's recipe has another data.side or data.channels."""

    side: int
    channels: int
    crop: str
    filter: str
    steps: list[str]
    changed_by: str


@dataclass(frozen=True)
class Report:
    """A report. Counts cover the used pictures of the training split; names are those of the archive's members.

    `balance` is the size of the smallest class divided by that of the largest. `enlarged` counts pictures smaller than
    the transform's side. `piles` counts the pictures of each domain. `held_out` counts those held out for evaluation.
    `cut` is the median share of a picture's pixels that are in no example. `profiles` counts pictures converted to
    sRGB, by ICC profile. `skipped` lists damaged metadata. `shorter_edge` is the median. `folders` names the folder of
    each domain. Reports of older versions lack the fields with defaults.
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
