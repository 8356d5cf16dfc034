"""Compute with latents: look up those of samples, and walk between them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.core.limits import SEED_LIMIT
from app.services.datasets import catalog
from app.services.inference.latents import Codes, refused
from app.services.inference.picks import pick_of
from app.services.inference.service import Inference
from app.services.views import VersionView

Array = NDArray[Any]
Mode = Literal["slerp", "linear"]
MIN_SINE = 1e-6
"""sine of the angle of two latents below which they have no one great circle"""


@dataclass(frozen=True)
class Sample:
    """A sample of a model: its seed, its number under the seed, and its class (None for a model without classes)."""

    seed: int
    index: int
    label: int | None

    def __str__(self) -> str:
        return f"{self.seed}.{self.index}" + ("" if self.label is None else f":{self.label}")


def parse_sample(
    name: str, pointer: str, version: VersionView, class_names: tuple[str, ...], default: int | None = None
) -> Sample:
    """Return the sample that `name` means: SEED, SEED.INDEX or SEED.INDEX:CLASS. Raises Invalid at the pointer.

    Without a class the sample has the class `default`, or that in which /sample draws it.
    """
    numbers, _, wanted = name.partition(":")
    seed, _, index = numbers.partition(".")
    if int(seed) >= SEED_LIMIT:
        raise refused(pointer, f"The seed {seed} is too large: write one of at most {SEED_LIMIT - 1}.", "invalid")
    if wanted and not version.recipe.classes:
        raise refused(pointer, f"{version.reference} has no classes: write '{numbers}' alone.", "no_such_class")
    label = catalog.class_number(class_names, wanted, pointer, other="") if wanted else default
    chosen, number = pick_of(version.recipe, label, int(seed), int(index or 0))
    return Sample(int(seed), number, chosen)


async def codes_of(
    samples: Sequence[Sample],
    version: VersionView,
    inference: Inference,
    *,
    temperature: float = 1.0,
    truncation: float | None = None,
) -> Codes:
    """Return the latents of samples, and the weights of their classes."""
    rows = await asyncio.gather(
        *(
            inference.latents(
                version, [(one.label, one.index)], seed=one.seed, temperature=temperature, truncation=truncation
            )
            for one in samples
        )
    )
    classes = version.recipe.classes
    weights = np.zeros((len(samples), classes), np.float32) if classes else None
    for number, one in enumerate(samples):
        if weights is not None and one.label is not None:
            weights[number, one.label] = 1
    return Codes(np.concatenate(rows), weights)


def walk(waypoints: Codes, frames: int, mode: Mode, *, loop: bool) -> Codes:
    """Return evenly spaced codes on the path through all waypoints; every leg takes an equal share of the frames.

    The first is the first waypoint. The last is the last waypoint or, in a loop, one step before the first. Weights of
    classes are mixed linearly.
    """
    between = spherical if mode == "slerp" else linear
    legs = len(waypoints) if loop else len(waypoints) - 1
    steps = frames if loop else frames - 1
    positions = [divmod(number * legs, steps) for number in range(frames)]

    def rows(array: Array, mix: Any) -> Array:
        closed = np.concatenate([array, array[:1], array[:1]]).astype(np.float64)
        mixed = [mix(closed[leg], closed[leg + 1], rest / steps) if rest else closed[leg] for leg, rest in positions]
        return np.stack(mixed).astype(np.float32)

    return Codes(
        rows(waypoints.latents, between), None if waypoints.weights is None else rows(waypoints.weights, linear)
    )


def linear(one: Array, other: Array, share: float) -> Array:
    """Return the point on the straight line from one vector to another, at a share of the way."""
    mixed: Array = (1 - share) * one + share * other
    return mixed


def spherical(one: Array, other: Array, share: float) -> Array:
    """Return the point on the great circle from one vector to another (White 2016, arXiv 1609.04468, section 2.1).

    On the way the length stays that of a draw from the prior, while a straight line passes nearer to the origin. Two
    vectors in one direction, or in opposite ones, are joined by a straight line.
    """
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    angle = np.arccos(np.clip(one @ other / lengths, -1, 1)) if lengths else 0.0
    if np.sin(angle) < MIN_SINE:
        return linear(one, other, share)
    mixed: Array = (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)
    return mixed
