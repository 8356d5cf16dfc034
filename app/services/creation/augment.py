"""Plan a job that draws labelled pictures for a dataset and measures whether they help."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from app.core.errors import FieldError, Invalid, NotFound, invalid_request
from app.core.limits import MAX_AUGMENTED_PICTURES
from app.services import recipes
from app.services.creation import train
from app.services.creation.bulk_limits import raise_if_refused, size_refusals
from app.services.datasets import catalog
from app.services.job_spec import Augment, JobPlan
from app.services.jobs import augmentation_warnings, lifecycle
from app.services.models import registry, source_weights
from app.services.views import VersionView
from data.archive import ArchiveIndex
from forger.schemas.specs import HeldOut
from forger.wire import HELD_OUT_EVERY
from models.spec.data import Images
from models.spec.datasets import WITHOUT_TEST_SPLIT
from models.spec.recipe import Recipe

Json = Mapping[str, Any]
DEFAULT_FAMILY = "cdcgan"
"""the family that is trained if no model was trained on the dataset"""
MODEL_SUFFIX = "-augment"
"""ends the names of generators that augmentations train, so that they are no versions of a client's own models"""
REPORT_BYTES = 16 << 20
"""upper bound of the size of a report and of the results of the parts of the work"""


def plan(
    *,
    dataset: str,
    per_class: int,
    model: str | None,
    recipe: str | Json | None,
    budget: Json | None,
    overrides: Json | None,
    seed: int,
    seeds: int,
    classifier_steps: int,
) -> JobPlan[Augment]:
    """Plan an augmentation. Raises Invalid with a pointer per refusal, NotFound if dataset or model do not exist."""
    held_out = _held_out(dataset)
    wants_training = not (recipe is None and budget is None and overrides is None)
    if model is not None and wants_training:
        sentence = "Name either a trained model, or the recipe, budget and overrides of a training."
        raise Invalid(sentence, errors=(FieldError("/model", sentence),))
    settings: Json = {
        "held_out": held_out,
        "per_class": per_class,
        "seed": seed,
        "seeds": seeds,
        "classifier_steps": classifier_steps,
    }
    version = None if wants_training else _version(dataset, model, held_out)
    if version is not None:
        spec = Augment(**source_weights.spec_fields(version), **settings)
        assert spec.weights is not None
        return JobPlan(spec, _pictures_bytes(spec), partial(source_weights.keep_export, spec.weights))
    training = train.plan(recipe or DEFAULT_FAMILY, dataset=dataset, seed=seed, budget=budget, overrides=overrides)
    resolved, family = training.spec.recipe, training.spec.family
    if refusals := _training_refusals(resolved, dataset):
        raise invalid_request("The augmentation was refused.", refusals, "augmentation_refused")
    name = recipes.default_model(family, resolved, MODEL_SUFFIX)
    spec = Augment(weights=None, recipe=resolved, family=family, model_name=name, **settings)
    return JobPlan(spec, training.stored_bytes + _pictures_bytes(spec))


def notes(spec: Augment) -> list[str]:
    """Return sentences for the client to know beforehand: warnings of a small test, and of rare classes.

    The pictures of a built-in dataset are not counted; the report of the job does that.
    """
    assert isinstance(spec.recipe.data, Images)
    files = catalog.files(spec.recipe.data.dataset)
    if files is None:
        return augmentation_warnings.of_small_test(spec.classifier_steps)
    index = ArchiveIndex.from_bytes(files.index.read_bytes())
    counts = Counter(index.labels(index.train))
    taken = {label: n // HELD_OUT_EVERY if spec.held_out == "fifth" else 0 for label, n in counts.items()}
    split = index.held_out if spec.held_out == "test" else None
    held_out = sum(taken.values()) if split is None else Counter(index.labels(split)).total()
    names = catalog.class_names(spec.recipe, catalog.all_datasets())
    training = {name: counts[label] - taken[label] for label, name in enumerate(names)}
    return [
        *augmentation_warnings.of_small_test(spec.classifier_steps, held_out),
        *augmentation_warnings.of_rare_classes(training),
    ]


def _held_out(dataset: str) -> HeldOut:
    """Return which pictures are held out. Raises Invalid unless the pictures are of two classes or more; NotFound."""
    try:
        info = catalog.find(dataset).info
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/dataset", error.detail),)) from None
    if info.kind != "images":
        sentence = f"'{dataset}' consists of {info.kind}; only labelled pictures can be augmented."
    elif info.classes < 2:
        sentence = f"'{dataset}' has no classes to tell apart: upload it with a folder for each class."
    elif (held_out := _possible_held_out(dataset)) is None:
        sentence = (
            f"'{dataset}' has too few pictures to test with: upload it with folders train and test, or with at least "
            f"{HELD_OUT_EVERY} pictures of a class."
        )
    else:
        return held_out
    raise Invalid(sentence, code="cannot_augment", errors=(FieldError("/dataset", sentence),))


def _possible_held_out(dataset: str) -> HeldOut | None:
    """Return which pictures of a labelled dataset are held out, a test split if it has one; None if it is too small."""
    files = catalog.files(dataset)
    if files is None:
        return "fifth" if dataset in WITHOUT_TEST_SPLIT else "test"
    index = ArchiveIndex.from_bytes(files.index.read_bytes())
    if index.held_out is not None and index.held_out.labels:
        return "test"
    largest = max(Counter(index.labels(index.train)).values(), default=0)
    return "fifth" if largest >= HELD_OUT_EVERY else None


def _version(dataset: str, model: str | None, held_out: HeldOut) -> VersionView | None:
    """Return the named version, or the newest suitable one; None if none is named and none suits."""
    if model is None:
        suitable = (version for version in registry.versions() if _suits(version.recipe, dataset))
        return next((version for version in suitable if not _saw_held_out(version, held_out)), None)
    version = source_weights.find_model(model)
    if not _suits(version.recipe, dataset):
        sentence = (
            f"{version.reference} does not draw the classes of '{dataset}': name a model with classes that was trained "
            "on it, or leave `model` out."
        )
    elif _saw_held_out(version, held_out):
        sentence = (
            f"'{dataset}' has no test split, and {version.reference} was trained on all of it, so nothing is left to "
            "test with: leave `model` out, and the job trains one on four fifths."
        )
    else:
        return version
    raise Invalid(sentence, code="cannot_augment", errors=(FieldError("/model", sentence),))


def _saw_held_out(version: VersionView, held_out: HeldOut) -> bool:
    """Return whether the model may have been trained on the held-out pictures of a dataset without a test split."""
    if held_out == "test":
        return False
    try:
        spec = None if version.job_id is None else lifecycle.get(version.job_id).spec
    except NotFound:
        spec = None
    return not isinstance(spec, Augment)


def _suits(recipe: Recipe, dataset: str) -> bool:
    """Return whether a model of this recipe draws every class of the dataset."""
    return isinstance(recipe.data, Images) and recipe.data.dataset == dataset and recipe.classes > 1


def _training_refusals(recipe: Recipe, dataset: str) -> list[FieldError]:
    refusals = []
    if not _suits(recipe, dataset):
        sentence = f"It does not learn the classes of '{dataset}': name a family with classes, such as cdcgan."
        refusals.append(FieldError("/recipe", sentence))
    if recipe.budget.minutes is not None:
        sentence = "Equal requests give equal reports, and minutes depend on the machine: give steps or epochs."
        refusals.append(FieldError("/budget/minutes", sentence))
    return refusals


def _pictures_bytes(spec: Augment) -> int:
    """Return the upper bound of the bytes of pictures and report. Raises Invalid if there are too many."""
    data, pictures = spec.recipe.data, spec.per_class * spec.recipe.classes
    assert isinstance(data, Images)
    if pictures > MAX_AUGMENTED_PICTURES:
        sentence = (
            f"{spec.per_class} of each of {spec.recipe.classes} classes are {pictures} pictures, more than "
            f"{MAX_AUGMENTED_PICTURES} (augmented). Ask for fewer."
        )
        raise_if_refused([FieldError("/per_class", sentence)])
    raise_if_refused(size_refusals("/per_class", pictures, data.channels * data.side**2, pictures))
    return pictures * data.channels * data.side**2 + REPORT_BYTES
