"""Plan a job that draws many pictures from noise."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from app.core.errors import FieldError, Invalid
from app.services.creation.bulk_limits import pictures_refusals, raise_if_refused, size_refusals
from app.services.datasets import catalog
from app.services.inference.capabilities import CLASS_SAMPLING, SAMPLING
from app.services.inference.versions import Versions
from app.services.job_spec import Generate, JobPlan
from app.services.models import source_weights
from app.services.views import VersionView
from forger.schemas.specs import ShardFormat
from models.spec import wording
from models.spec.data import Points, Sequences
from models.spec.recipe import Recipe

CLASS_COUNTS = replace(
    CLASS_SAMPLING,
    pointer="/classes",
    refusal="has no classes; give `n` instead of `classes`, or name a model trained with classes",
)


def plan(
    versions: Versions,
    *,
    model: str | None,
    n: int | None,
    classes: Mapping[str, int] | None,
    seed: int,
    temperature: float,
    truncation: float | None = None,
    format: ShardFormat,
    shard: int,
) -> JobPlan[Generate]:
    """Plan a job that draws pictures.

    Raises Invalid with a pointer per refusal, and NotFound or Conflict if no model can draw them.
    """
    if (n is None) == (classes is None):
        sentence = "Name either n, the number of pictures, or classes, the number of pictures of each."
        raise Invalid(sentence, errors=(FieldError("/n", sentence),))
    version, numbers = _version(versions, model, classes)
    total = n if n is not None else sum((numbers or {}).values())
    pointer, kind = "/n" if classes is None else "/classes", version.recipe.data.kind
    example_bytes = _example_bytes(version.recipe)
    refusals = pictures_refusals(pointer, total) or size_refusals(pointer, total, example_bytes, shard)
    if format == "zip" and kind in ("points", "sequences"):
        refusals.append(FieldError("/format", f"A zip holds pictures, and this model makes {kind}: ask for npz."))
    raise_if_refused(refusals)
    spec = Generate(
        **source_weights.spec_fields(version),
        n=total,
        classes=numbers,
        seed=seed,
        temperature=temperature,
        truncation=truncation,
        format=format,
        shard=shard,
    )
    return JobPlan(spec, total * example_bytes, partial(source_weights.keep_export, spec.weights))


def _version(
    versions: Versions, model: str | None, classes: Mapping[str, int] | None
) -> tuple[VersionView, dict[str, int] | None]:
    """Return the newest version that draws, and that has the named classes; and the count of each class by number."""
    drawing = versions.capable(SAMPLING, model)
    if classes is None:
        return drawing[0], None
    refusal: Invalid | None = None
    for version in versions.capable(CLASS_COUNTS, model):
        try:
            return version, _counts_by_number(versions.class_names(version), classes)
        except Invalid as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _counts_by_number(names: tuple[str, ...], classes: Mapping[str, int]) -> dict[str, int]:
    """Return the count of each class by number, in the order of the numbers. Raises Invalid."""
    counts: dict[int, int] = {}
    for name, n in classes.items():
        pointer = wording.pointer(("classes", name))
        number = catalog.class_number(names, name, pointer, other="")
        if number in counts:
            raise_if_refused([FieldError(pointer, f"Class {number} is named twice: give its number of pictures once.")])
        counts[number] = n
    return {str(number): counts[number] for number in sorted(counts)}


def _example_bytes(recipe: Recipe) -> int:
    """Return the bytes of one example, uncompressed."""
    match recipe.data:
        case Points(dimension=dimension):
            return 4 * dimension
        case Sequences(length=length):
            return 8 * length
        case data:
            return data.channels * data.side**2 * data.bits // 8
