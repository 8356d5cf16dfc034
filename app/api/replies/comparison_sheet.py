"""Draw a comparison as one picture: a sample of each job, from the same noise, and the curves they are watched by."""

from collections.abc import Mapping, Sequence

from PIL import Image

from app.api.replies.drawings import drawing
from app.api.replies.images import Array
from app.core.errors import Conflict
from app.services.experiments.compare import DRAWN, scale
from data import plots
from data.plots import Picture
from forger.schemas.compare import ComparedJob, ComparisonOut
from forger.schemas.experiment_tables import called
from models.spec.recipe import Recipe

FIGURE = "figure/"
"""what names of curves begin with that are drawn of figures"""


def row(recipe: Recipe, drawn: Array) -> Picture:
    """Draw pictures in a row, so that the same noise stands below itself; points and strings as /sample does.

    A row wider than the sheet is made smaller.
    """
    pixels = drawing(recipe.data, drawn, scale(recipe), DRAWN, {}).picture()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.thumbnail((plots.SHEET_WIDTH, picture.height))
    return picture


def sheet(comparison: ComparisonOut, samples: Sequence[Picture | None]) -> bytes:
    """Return a PNG of the samples, one of each job or None, and the curves below. Raises Conflict where none is."""
    names = called(comparison)
    named = [
        (names[job.id], _best(job), picture)
        for job, picture in zip(comparison.jobs, samples, strict=True)
        if picture is not None
    ]
    curves = _curves(comparison, names)
    if not named and curves is None:
        raise Conflict(
            "There is nothing to draw yet: none of the jobs has published a model or drawn a report.",
            code="nothing_to_draw",
        )
    return plots.png(plots.sheet(named, curves))


def _best(job: ComparedJob) -> str:
    return f"{job.best.metric} {job.best.value:.4g} at step {job.best.step}" if job.best else ""


def _curves(comparison: ComparisonOut, names: Mapping[str, str]) -> Picture | None:
    """Draw the curves of the first figure that a job is watched by and that has curves."""
    declared = [f"{FIGURE}{job.metric}" for job in comparison.jobs if job.metric]
    known = {curves.name: curves for curves in comparison.curves}
    found = next((known[name] for name in declared if name in known), None)
    if found is None:
        return None
    return plots.plot(found.name.removeprefix(FIGURE), {names[curve.job]: curve.points for curve in found.jobs})
