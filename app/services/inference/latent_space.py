"""Compute with latents: look up those of samples, walk between them, add them."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.core.limits import MAX_LATENT, SEED_LIMIT
from app.services.datasets import catalog
from app.services.inference.latents import Codes, refused
from app.services.inference.picks import pick_of
from app.services.inference.service import Inference
from app.services.views import VersionView
from models.spec.training import Latent

Array = NDArray[Any]
Mode = Literal["slerp", "linear"]
MIN_SINE = 1e-6
"""sine of the angle of two latents below which they have no one great circle"""
MIN_CLASS_WEIGHT = 1e-6
"""sum of the weights of classes below which none is left"""


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
    none = np.empty((0, version.recipe.latent.size), np.float32)
    return Codes(np.concatenate([none, *rows]), weights)


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


def mean(codes: Codes) -> Codes:
    """Return the mean of the codes, as one code."""
    return Codes(
        codes.latents.mean(0, keepdims=True, dtype=np.float64).astype(np.float32),
        None if codes.weights is None else codes.weights.mean(0, keepdims=True),
    )


def weighted_sum(means: Codes, weights: Sequence[float], label: int | None) -> Codes:
    """Return the weighted sum of codes, as one code of the class `label`, if one is given.

    Without it the classes are summed as the latents are; then negative weights become 0, and the others sum to 1.
    Raises Invalid if the classes cancel each other, or if the sum leaves the range of latents that may be sent.
    """
    factors = np.array(weights, np.float64)
    latent = (factors @ means.latents.astype(np.float64))[None].astype(np.float32)
    if np.abs(latent).max() > MAX_LATENT:
        raise refused("/terms", f"The sum has numbers beyond {MAX_LATENT} (latent): write smaller weights.")
    if means.weights is None:
        return Codes(latent)
    if label is not None:
        return Codes(latent, np.eye(means.weights.shape[1], dtype=np.float32)[[label]])
    classes = np.clip(factors @ means.weights.astype(np.float64), 0, None)
    if classes.sum() < MIN_CLASS_WEIGHT:
        raise refused("/class", "The classes of the terms cancel each other: write the class of the result as `class`.")
    return Codes(latent, (classes / classes.sum())[None].astype(np.float32))


def normalised(codes: Codes, prior: Latent) -> Codes:
    """Return one code with the root mean square length of draws from the prior. Raises Invalid if it is zero."""
    length = np.linalg.norm(codes.latents.astype(np.float64))
    if not length:
        raise refused("/terms", "The terms cancel each other: a latent of zeros cannot be normalised.")
    # A uniform number in [-1, 1] has the variance 1/3.
    variance = 1 if prior.kind == "normal" else 1 / 3
    wanted = prior.scale * math.sqrt(prior.size * variance)
    return Codes((codes.latents * (wanted / length)).astype(np.float32), codes.weights)


def joined(parts: Sequence[Codes]) -> Codes:
    """Return the codes of all parts, in order; either all parts have classes or none has."""
    weights = [part.weights for part in parts if part.weights is not None]
    return Codes(np.concatenate([part.latents for part in parts]), np.concatenate(weights) if weights else None)
