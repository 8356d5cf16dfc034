"""Draw a comparison as one picture: a sample of each job from the same noise, and curves of one figure."""

from collections.abc import Mapping, Sequence

from PIL import Image

from app.api.replies.images import Array
from app.api.replies.rendering import render
from app.core.errors import Conflict
from app.services.experiments.compare import SAMPLE_PICTURES, scale
from data import plots
from data.levels import to_bits
from data.plots import Picture
from forger.schemas.compare import ComparedJob, ComparisonOut
from forger.schemas.experiment_tables import short_names
from models.spec.recipe import Recipe

FIGURE_PREFIX = "figure/"
"""prefix of the names of curves that show figures"""


def row(recipe: Recipe, drawn: Array) -> Picture:
    """Draw pictures in a row, so that equal noise stands in one column; points and strings as /sample does.

    Shrink a row that is wider than the sheet.
    """
    pixels = to_bits(render(recipe.data, drawn, scale(recipe), SAMPLE_PICTURES, {}).picture(), 8)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.thumbnail((plots.SHEET_WIDTH, picture.height))
    return picture


def sheet(comparison: ComparisonOut, samples: Sequence[Picture | None]) -> bytes:
    """Return a PNG of the jobs' samples above the curves. Raises Conflict if there is nothing to draw."""
    names = short_names(comparison)
    rows = [
        (names[job.id], _best(job), picture)
        for job, picture in zip(comparison.jobs, samples, strict=True)
        if picture is not None
    ]
    curves = _curves(comparison, names)
    if not rows and curves is None:
        raise Conflict(
            "There is nothing to draw yet: none of the jobs has published a model or drawn a report.",
            code="nothing_to_draw",
        )
    return plots.png(plots.sheet(rows, curves))


def _best(job: ComparedJob) -> str:
    return f"{job.best.metric} {job.best.value:.4g} at step {job.best.step}" if job.best else ""


def _curves(comparison: ComparisonOut, names: Mapping[str, str]) -> Picture | None:
    """Draw the curves of the first job's metric that has curves; return None if no job's has."""
    metrics = [f"{FIGURE_PREFIX}{job.metric}" for job in comparison.jobs if job.metric]
    curves_by_name = {curves.name: curves for curves in comparison.curves}
    chosen = next((curves_by_name[name] for name in metrics if name in curves_by_name), None)
    if chosen is None:
        return None
    points = {names[curve.job]: curve.points for curve in chosen.jobs}
    return plots.plot(chosen.name.removeprefix(FIGURE_PREFIX), points)
