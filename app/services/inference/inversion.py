"""Search for the latent from which a model generates a picture: from several starts, by gradients, in short parts.

The engine takes a few steps at a request, so that it serves others meanwhile, and so that each part is reported.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.core.errors import Conflict, FieldError, Invalid
from app.core.limits import MAX_RESTARTS
from app.services.inference.latents import Codes, weights_of_classes
from app.services.inference.service import Inference
from app.services.views import VersionView
from data.levels import full_level
from serving import attempts
from serving.protocol import CriticFile, Turns

Array = NDArray[Any]
CANDIDATES = 64
"""drawn latents, at least, of which the attempts are chosen"""
STEPS_PER_PART = 25
"""steps of one request to the engine"""
QUARTERS = 4
"""After each of so many parts of the steps, the better half of the attempts goes on."""
FINALISTS = 4
"""attempts whose pictures are compared in the end"""
DEFAULT_FEATURE_WEIGHT = 0.1


@dataclass(frozen=True)
class Plan:
    """How to search: the number of steps, the attempts, and the weight of the features beside the pixels."""

    seed: int
    steps: int
    restarts: int
    feature_weight: float | None
    """None: DEFAULT_FEATURE_WEIGHT if the version's critic is there and the whole picture is known, else 0"""


@dataclass(frozen=True)
class Progress:
    """The mean squared error of the best attempt after a step, of pixels on a scale of 0 to 1."""

    step: int
    mse: float


@dataclass(frozen=True, eq=False)
class Found:
    """The best latent with its class, and its picture, levels [side, side, channels]."""

    code: Codes
    label: int | None
    picture: Array
    mse: float
    """of the known pixels, on a scale of 0 to 1"""
    start: Literal["encoder", "random"]
    feature_weight: float
    attempts: int


def psnr(mse: float) -> float | None:
    """Return the peak signal-to-noise ratio in dB of a mean squared error on a scale of 0 to 1; None for 0."""
    return -10 * math.log10(mse) if mse else None


def tried_classes(version: VersionView, label: int | None) -> Sequence[int | None]:
    """Return the classes to try: the one that was given, else all; [None] without classes."""
    classes = version.recipe.classes
    return [label] if label is not None or not classes else list(range(classes))


def attempts_of(plan: Plan, classes: Sequence[int | None]) -> int:
    """Return the number of attempts: one for each class at least, up to MAX_RESTARTS, if the class is to be found."""
    return max(plan.restarts, min(len(classes), MAX_RESTARTS))


def require_work(version: VersionView, plan: Plan, classes: Sequence[int | None], limit: int) -> None:
    """Raise Invalid if the search would generate more than `limit` pixels."""
    _, side, _ = version.recipe.shape
    n = attempts_of(plan, classes)
    if (pixels := plan.steps * n * side * side) > limit:
        sentence = (
            f"{plan.steps} steps of {n} attempts at {side} x {side} generate {pixels} pixels, more than {limit} "
            "(max_search_pixels): write fewer `steps` or `restarts`, or name the class."
        )
        raise Invalid(sentence, code="too_much_work", errors=(FieldError("/steps", sentence),))


async def search(
    version: VersionView, inference: Inference, picture: Array, classes: Sequence[int | None], plan: Plan
) -> AsyncGenerator[Progress | Found]:
    """Search for the latent of a picture, levels [side, side, channels + 1]; yield progress, and at last the result.

    The last channel is 0 where a pixel is known. Raises Conflict if the model's numbers are not finite, or if its
    critic is gone although `plan` names a weight for features.
    """
    critic, weight = await _critic(version, inference, plan.feature_weight, whole=not picture[..., -1].any())

    async def advanced(rows: Array, begin: int, steps: int) -> Array:
        turns = Turns(begin, steps, plan.steps, weight)
        rows = await inference.search(version, picture, rows, turns, critic)
        if not np.isfinite(rows[:, 1 : 2 + version.recipe.latent.size]).all():
            raise _not_finite(version)
        return rows

    n = attempts_of(plan, classes)
    drawn = await _drawn(version, inference, classes, plan.seed)
    encoded = await _encoded(version, inference, picture)
    rows = np.concatenate([encoded, attempts.best(await advanced(drawn, 0, 0), n)])[:n]
    origins = np.arange(len(rows))
    step, quarter = 0, 1
    while step < plan.steps:
        steps = min(STEPS_PER_PART, plan.steps - step)
        rows = await advanced(rows, step, steps)
        step += steps
        # The pixels of the search are in [-1, 1].
        yield Progress(step, float(attempts.errors_of(rows).min()) / 4)
        while quarter < QUARTERS and step >= quarter * plan.steps / QUARTERS:
            kept = np.argsort(attempts.errors_of(rows), kind="stable")[: max(FINALISTS, math.ceil(len(rows) / 2))]
            rows, origins, quarter = rows[kept], origins[kept], quarter + 1
    final = np.argsort(attempts.errors_of(rows), kind="stable")[:FINALISTS]
    rows, origins = rows[final], origins[final]
    labels = [None if label == attempts.NO_CLASS else int(label) for label in attempts.labels_of(rows)]
    weights = weights_of_classes(labels, version.recipe, version.reference, len(labels))
    codes = Codes(attempts.latents_of(rows).copy(), weights)
    pictures = await inference.decode(version, codes, asyncio.wrap_future)
    known = picture[..., -1:] == 0
    errors = [_mse(one, picture[..., :-1], known) for one in pictures]
    best = int(np.argmin(errors))
    yield Found(
        codes.split()[best],
        labels[best],
        pictures[best],
        errors[best],
        "encoder" if origins[best] < len(encoded) else "random",
        weight,
        n,
    )


async def _critic(
    version: VersionView, inference: Inference, wanted: float | None, *, whole: bool
) -> tuple[CriticFile | None, float]:
    """Return the critic whose features are compared, and their weight; None and 0 if only pixels are.

    By default only whole pictures are compared by features. A critic that is gone is missed only if a weight was given.
    """
    weight = wanted if wanted is not None else DEFAULT_FEATURE_WEIGHT if whole else 0.0
    if version.recipe.feature_source != "critic" or not weight:
        return None, 0.0
    try:
        return await inference.critic(version), weight
    except Conflict:
        if wanted is None:
            return None, 0.0
        raise


async def _drawn(version: VersionView, inference: Inference, classes: Sequence[int | None], seed: int) -> Array:
    """Return attempts at latents of the seed, the same ones for every class."""
    per_class = math.ceil(CANDIDATES / len(classes))
    latents = await inference.latents(version, [(classes[0], number) for number in range(per_class)], seed=seed)
    numbers = [attempts.NO_CLASS if label is None else label for label in classes]
    return attempts.begin(np.tile(latents, (len(classes), 1)), np.repeat(numbers, per_class))


async def _encoded(version: VersionView, inference: Inference, picture: Array) -> Array:
    """Return an attempt at the code of a whole picture, if the version has an encoder; else none."""
    if version.recipe.feature_source != "encoder" or picture[..., -1].any():
        return attempts.begin(np.zeros((0, version.recipe.latent.size)), np.zeros(0))
    code = await inference.features(version, picture[None, ..., :-1], asyncio.wrap_future)
    if not np.isfinite(code).all():
        raise _not_finite(version)
    return attempts.begin(code, np.array([attempts.NO_CLASS]))


def _mse(one: Array, other: Array, known: Array) -> float:
    squares = np.square((one.astype(np.float64) - other) / full_level(one)) * known
    return float(squares.sum() / (known.sum() * one.shape[2]))


def _not_finite(version: VersionView) -> Conflict:
    sentence = f"The numbers of {version.reference} are not finite, so its training diverged: name another model."
    return Conflict(sentence, code="not_finite", errors=(FieldError("/model", sentence),))
