"""Write the measurements of a probe as one small JSON document. No torch: it runs on the thread that writes reports.

docs/api.md ("Probes") explains the fields; forger.schemas.probe has their types.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from data.toy import MIXTURES, Mixture, kernel_density, line_through
from models.spec.datasets import DATASETS
from models.spec.recipe import Recipe

MAX_BYTES = 256 << 10
"""bytes of a probe at most"""
BINS = 32
"""bins of a histogram of scores"""
LINE_POSITIONS, PLANE_SIDE = 200, 32
"""positions at which a critic of points is evaluated: on a line, and on each side of a plane"""
PLANE_MARGIN = 0.25
"""margin of a plane around the modes, as a share of the distance between the outer ones"""
FAR_SIGMAS = 3
"""standard deviations from the nearest mode beyond which a point is far from all of them, as in the figure `modes`"""
FAR = "none"
"""name of the share of points that are far from every mode"""
DIGITS = 4
"""significant digits"""
LOGIT_OBJECTIVES = {"minimax", "non_saturating", "maximum_likelihood"}
"""objectives whose scores are logits: the sigmoid of a score is a probability"""

Floats = NDArray[np.floating[Any]]
Json = dict[str, Any]


@dataclass(frozen=True)
class CriticScores:
    """One critic's scores of the real and of the generated examples of the fixed batch, each [n]."""

    name: str
    real: Floats
    fake: Floats


@dataclass(frozen=True)
class PointMeasurements:
    """The measurements that only points of d coordinates have."""

    generated: Floats | None
    """[n, d], for densities and shares; None for a generator that does not draw from noise"""
    critic: Floats | None
    """its score at each of `critic_positions`; None without a critic that judges points one by one"""
    real: Floats
    """[n, d], of the fixed batch"""
    fake: Floats | None
    """[n, d], of the fixed batch"""
    gradient: Floats | None
    """[n, d]: minus the gradient of the generator's loss by each fake"""
    grid: Floats | None
    """[m, m, d]: the image of a grid of latents"""


@dataclass(frozen=True)
class Measurements:
    """The measurements of a probe at a step. None where one does not apply."""

    step: int
    critics: Sequence[CriticScores]
    generator_gradient: float | None
    critic_gradient: float | None
    class_counts: Sequence[int] | None
    """generated pictures by the class that the judge sees in them"""
    points: PointMeasurements | None


def encode(recipe: Recipe, measured: Measurements) -> bytes:
    """Return the document as JSON, of MAX_BYTES at most. A number that is not finite is null."""
    return to_json(document(recipe, measured), inf_nan_mode="null")


def document(recipe: Recipe, measured: Measurements) -> Json:
    """Return the document: the fields of forger.schemas.probe.ProbeOut, with NaN for null numbers."""
    points = measured.points
    mixture = MIXTURES[recipe.data.dataset] if points is not None else None
    line = plane = shares = None
    if mixture is not None and points is not None:
        if points.generated is not None:
            shares = mode_shares(mixture, points.generated)
        if mixture.modes.shape[1] == 1:
            line = _line(recipe, mixture, points)
        else:
            plane = _plane(mixture, points)
    elif measured.class_counts is not None:
        names = _class_names(recipe.data.dataset, len(measured.class_counts))
        shares = {"names": names, "counts": list(measured.class_counts)}
    norms = rounded(np.array([measured.generator_gradient, measured.critic_gradient], float))
    return {
        "version": 1,
        "step": measured.step,
        "critic_scale": critic_scale(recipe),
        "critics": [_histogram(critic) for critic in measured.critics],
        "gradients": dict(zip(("generator", "critic"), norms.tolist(), strict=True)),
        "shares": shares,
        "line": line,
        "plane": plane,
    }


def critic_scale(recipe: Recipe) -> str | None:
    """Return `probability` if the sigmoid of a score is a probability, else `score`; None without a critic."""
    if recipe.objective is None:
        return None
    return "probability" if recipe.objective.kind in LOGIT_OBJECTIVES else "score"


def critic_positions(dataset: str) -> Floats:
    """Return the points [n, d] at which the critic is evaluated: along a line, or row by row from below in a plane."""
    mixture = MIXTURES[dataset]
    if mixture.modes.shape[1] == 1:
        return _line_positions(mixture)[:, None]
    low, high = _plane_bounds(mixture)
    x, y = (np.linspace(*ends, PLANE_SIDE) for ends in zip(low, high, strict=True))
    return np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)


def mode_shares(mixture: Mixture, points: Floats) -> Json:
    """Count points [n, d] by their nearest mode; those beyond FAR_SIGMAS of it count as FAR."""
    distances = np.sqrt(np.square(points[:, None] - mixture.modes).sum(axis=2))
    nearest = distances.argmin(axis=1)
    near = distances.min(axis=1) <= FAR_SIGMAS * mixture.spreads[nearest]
    counts = np.bincount(np.where(near, nearest, len(mixture.modes)), minlength=len(mixture.modes) + 1)
    return {"names": [*map(_mode_name, mixture.modes), FAR], "counts": counts.tolist()}


def rounded(x: Floats, digits: int = DIGITS) -> Floats:
    """Round each number to so many significant digits; what is not finite stays."""
    x = np.asarray(x, np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        places = digits - 1 - np.floor(np.log10(np.abs(x)))
        places = np.where(np.isfinite(places), places, 0).clip(-300, 300)
        scale = 10.0 ** np.abs(places)
        # Divide by a whole power of ten: multiplying by its inverse would leave digits beyond the last.
        return np.asarray(np.where(places >= 0, np.rint(x * scale) / scale, np.rint(x / scale) * scale))


def _histogram(critic: CriticScores) -> Json:
    """Count the scores in BINS equal bins from the least to the greatest; those that are not finite do not count."""
    real, fake = (scores[np.isfinite(scores)].astype(np.float64) for scores in (critic.real, critic.fake))
    edges = np.linspace(*_ends(np.concatenate([real, fake])), BINS + 1)
    counts = [np.histogram(scores, edges)[0].tolist() for scores in (real, fake)]
    # Digits are those of a bin's width: edges that are close to each other stay apart.
    places = DIGITS - 1 - int(np.floor(np.log10(edges[1] - edges[0])))
    return {"name": critic.name, "edges": np.round(edges, places).tolist(), "real": counts[0], "fake": counts[1]}


def _ends(scores: Floats) -> tuple[float, float]:
    """Return the least and the greatest score, or an interval around scores that are all but equal."""
    low, high = (float(scores.min()), float(scores.max())) if len(scores) else (0.0, 0.0)
    size = max(abs(low), abs(high))
    return (low, high) if high - low > 1e-5 * size else (low - max(0.5, size / 100), high + max(0.5, size / 100))


def _line_positions(mixture: Mixture) -> Floats:
    return rounded(line_through(mixture, LINE_POSITIONS))


def _line(recipe: Recipe, mixture: Mixture, points: PointMeasurements) -> Json:
    x = _line_positions(mixture)
    critic = points.critic
    if critic is not None and critic_scale(recipe) == "probability":
        critic = 1 / (1 + np.exp(-critic.astype(np.float64).clip(-700, 700)))
    generated = points.generated
    return {
        "x": x.tolist(),
        "p_data": rounded(mixture.density(x[:, None])).tolist(),
        "p_g": None if generated is None else rounded(kernel_density(generated[:, 0], x)).tolist(),
        "critic": None if critic is None else rounded(critic).tolist(),
    }


def _plane(mixture: Mixture, points: PointMeasurements) -> Json:
    low, high = _plane_bounds(mixture)
    critic = None if points.critic is None else points.critic.reshape(PLANE_SIDE, PLANE_SIDE)
    values = {"critic": critic, "real": points.real, "fake": points.fake}
    values |= {"gradient": points.gradient, "grid": points.grid}
    return {
        "x": [low[0], high[0]],
        "y": [low[1], high[1]],
        "n": PLANE_SIDE,
        **{name: None if value is None else rounded(value).tolist() for name, value in values.items()},
    }


def _plane_bounds(mixture: Mixture) -> tuple[list[float], list[float]]:
    """Return the plane's lower left and upper right corner."""
    low, high = mixture.modes.min(axis=0), mixture.modes.max(axis=0)
    margin = PLANE_MARGIN * (high - low)
    return rounded(low - margin).tolist(), rounded(high + margin).tolist()


def _mode_name(mode: Floats) -> str:
    """Return a mode's place: -1.5, or (0.707, -0.707)."""
    numbers = [f"{value:g}" for value in (np.round(mode, 3) + 0.0).tolist()]
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"


def _class_names(dataset: str, classes: int) -> list[str]:
    """Return the names of a built-in dataset's classes; of any other their numbers."""
    known = DATASETS[dataset].class_names if dataset in DATASETS else ()
    return list(known) if len(known) == classes else [str(number) for number in range(classes)]
