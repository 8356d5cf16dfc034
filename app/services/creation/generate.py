"""Plan a job that draws many pictures from noise."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from app.core.errors import FieldError, Invalid
from app.services.creation.bulk_limits import refuse, too_large, too_many
from app.services.datasets import catalog
from app.services.inference.service import CLASSES, SAMPLING, Inference
from app.services.job_spec import Generate, JobPlan
from app.services.models import registry, source_weights
from app.services.views import VersionView
from forger.schemas.specs import ShardFormat
from models.spec import wording
from models.spec.data import Points, Sequences
from models.spec.recipe import Recipe

COUNTED = replace(
    CLASSES,
    pointer="/classes",
    lack="knows no classes; say `n` instead of `classes`, or name a model trained with classes",
)


def plan(
    inference: Inference,
    *,
    model: str | None,
    n: int | None,
    classes: Mapping[str, int] | None,
    seed: int,
    temperature: float,
    format: ShardFormat,
    shard: int,
) -> JobPlan[Generate]:
    """Raises Invalid with a pointer per refusal, NotFound or Conflict where no model can."""
    if (n is None) == (classes is None):
        sentence = "Say n, how many pictures, or classes, how many of each; one of the two."
        raise Invalid(sentence, errors=(FieldError("/n", sentence),))
    version, numbers = _version(inference, model, classes)
    total = n if n is not None else sum((numbers or {}).values())
    pointer, kind, each = "/n" if classes is None else "/classes", version.recipe.data.kind, _bytes(version.recipe)
    found = too_many(pointer, total) or too_large(pointer, total, each, shard)
    if format == "zip" and kind in ("points", "sequences"):
        found.append(FieldError("/format", f"A zip is of pictures, and this model makes {kind}: ask for npz."))
    refuse(found)
    spec = Generate(
        recipe=version.recipe,
        family=registry.family_of(version),
        model_name=version.name,
        weights=source_weights.weights_of(version),
        n=total,
        classes=numbers,
        seed=seed,
        temperature=temperature,
        format=format,
        shard=shard,
    )
    return JobPlan(spec, total * each, partial(source_weights.keep, spec.weights))


def _version(
    inference: Inference, model: str | None, classes: Mapping[str, int] | None
) -> tuple[VersionView, dict[str, int] | None]:
    """Find the newest version that draws, and knows the classes where some are named; and count each class."""
    able = inference.able(SAMPLING, model)
    if classes is None:
        return able[0], None
    refusal: Invalid | None = None
    for version in inference.able(COUNTED, model):
        try:
            return version, _numbered(inference.class_names(version), classes)
        except Invalid as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _numbered(names: tuple[str, ...], classes: Mapping[str, int]) -> dict[str, int]:
    """Return the count of each class by number, in the order of the numbers. Raises Invalid."""
    found: dict[int, int] = {}
    for wanted, n in classes.items():
        pointer = wording.pointer(("classes", wanted))
        number = catalog.class_number(names, wanted, pointer, other="")
        if number in found:
            refuse([FieldError(pointer, f"Class {number} is named twice: say once how many of it.")])
        found[number] = n
    return {str(number): found[number] for number in sorted(found)}


def _bytes(recipe: Recipe) -> int:
    """Return the bytes of one example, uncompressed."""
    match recipe.data:
        case Points(dimension=dimension):
            return 4 * dimension
        case Sequences(length=length):
            return 8 * length
        case data:
            return data.channels * data.side**2
