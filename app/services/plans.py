"""What a request to train comes to: everything about the job but the job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import FieldError, Invalid, NotFound
from app.services import checkpoints, recipes
from app.services.views import CheckpointView
from models.spec.fit import misfits
from models.spec.recipe import Recipe

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """The checkpoint whose weights the job begins with, and the job that learned them."""

    job_id: str
    checkpoint: CheckpointView


@dataclass(frozen=True, slots=True)
class Plan:
    family: str | None
    recipe: Recipe
    model: str
    start: Start | None


def make(
    recipe: str | Json,
    *,
    dataset: str | None,
    seed: int | None,
    budget: Json | None,
    overrides: Json | None,
    model: str | None,
    start_from: str | None,
) -> Plan:
    """Raises Invalid with a pointer per refusal, NotFound for a checkpoint that is not there."""
    family, made = recipes.whole(recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides)
    start = None if start_from is None else _start(start_from, made)
    return Plan(family, made, model or recipes.default_model(family, made), start)


def _start(checkpoint_id: str, recipe: Recipe) -> Start:
    try:
        checkpoint, job = checkpoints.find(checkpoint_id)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/start_from", error.detail),)) from None
    if differences := misfits(job.recipe, recipe):
        errors = tuple(FieldError("/start_from", difference) for difference in differences)
        named = " ".join(differences)
        sentence = f"The weights of the checkpoint do not fit the recipe. {named} Change the recipe to fit them."
        raise Invalid(sentence, code="start_refused", errors=errors)
    return Start(job.id, checkpoint)
