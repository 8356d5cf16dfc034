"""Plan a job that trains: resolve its recipe, and check its size, its devices and the weights it begins with."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from app.core.errors import FieldError, Invalid, NotFound, refused
from app.core.settings import get_settings
from app.services import recipes
from app.services.capacity import durations, estimates
from app.services.job_spec import JobPlan, Train
from app.services.models import checkpoints
from app.services.models.source_weights import START_FILE
from app.services.views import CheckpointView
from forger.schemas.specs import Weights
from models.spec.games import Synthesis
from models.spec.recipe import Recipe
from models.spec.weight_compat import incompatibilities

Json = Mapping[str, Any]


def plan(
    recipe: str | Json,
    *,
    dataset: str | None = None,
    seed: int | None = None,
    budget: Json | None = None,
    overrides: Json | None = None,
    model: str | None = None,
    start_from: str | None = None,
    devices: int = 1,
    experience: durations.Experience | None = None,
) -> JobPlan[Train]:
    """Plan one training. Pass `experience` where many are planned: it is then read once.

    Raises Invalid with a pointer per refusal, NotFound for a checkpoint that is not there.
    """
    family, made = recipes.whole(recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides)
    _require_devices(made, devices)
    written = "/overrides" if overrides else "/recipe"
    budget_at = "/budget" if budget else f"{written}/budget"
    estimates.require(made, devices, recipe_at=written, budget_at=budget_at)
    durations.require(made, family, budget_at, experience or durations.experience())
    name = model or recipes.default_model(family, made)
    return of_recipe(made, family, name, devices=devices, start_from=start_from)


def of_recipe(
    recipe: Recipe, family: str | None, model_name: str, *, devices: int = 1, start_from: str | None = None
) -> JobPlan[Train]:
    """Plan the training of a whole recipe. Raises Invalid and NotFound for the checkpoint that it starts from."""
    stored = estimates.of(recipe, devices).disk_bytes
    about: dict[str, Any] = {"recipe": recipe, "family": family, "model_name": model_name, "devices": devices}
    if start_from is None:
        return JobPlan(Train(**about, start_from=None, extended_at=None), stored)
    checkpoint, job_id = _fitting(start_from, recipe)
    weights = Weights(model=None, checkpoint=checkpoint.id, job=job_id, step=checkpoint.step, sha256=checkpoint.sha256)
    return JobPlan(Train(**about, start_from=weights, extended_at=None), stored, partial(_hold, checkpoint, job_id))


def notes(recipe: Recipe) -> list[str]:
    """What is to be known of a training before it begins: what will not be measured."""
    watch, steps = recipe.watch, recipe.budget.steps
    if watch is None:
        return ["Nothing will be measured, and its health stays unknown: leave `watch` out to have it watched."]
    if recipe.budget.minutes is None and watch.every >= steps:
        return [
            f"It is evaluated once, at its end: {steps} steps are fewer than between two evaluations, {watch.every} "
            "(watch.every). Trouble on the way is not seen."
        ]
    return []


def _require_devices(recipe: Recipe, devices: int) -> None:
    """Raises Invalid where there are not so many, or the work cannot be shared out among them."""
    if (refusal := _not_shared_out(recipe, devices)) is not None:
        raise Invalid(refusal.message, code="devices_refused", errors=(refusal,))


def _not_shared_out(recipe: Recipe, devices: int) -> FieldError | None:
    if devices > (most := get_settings().max_devices):
        sentence = f"A job computes on at most {most} devices here (max_devices), not on {devices}: ask for fewer."
        return FieldError("/resources/devices", sentence)
    packing = recipe.game.packing if isinstance(recipe.game, Synthesis) else 1
    if recipe.batch_size % (packing * devices):
        whole = f"a multiple of {packing * devices}" + (f" ({packing} are judged at a time)" if packing > 1 else "")
        return FieldError(
            "/resources/devices",
            f"A batch of {recipe.batch_size} cannot be shared out equally among {devices} devices: "
            f"make batch_size {whole}, or ask for another number of devices.",
        )
    if devices > 1 and recipe.budget.minutes is not None:
        return FieldError("/budget", "Minutes are measured on one device: give the budget in steps or epochs.")
    return None


def _fitting(checkpoint_id: str, recipe: Recipe) -> tuple[CheckpointView, str]:
    """Find a checkpoint whose weights fit the recipe, and its job's id. Raises NotFound, Invalid."""
    try:
        checkpoint, job = checkpoints.find(checkpoint_id)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/start_from", error.detail),)) from None
    if differences := incompatibilities(job.recipe, recipe):
        errors = [FieldError("/start_from", difference) for difference in differences]
        raise refused("The weights of the checkpoint do not fit the recipe: change it.", errors, "start_refused")
    return checkpoint, job.id


def _hold(checkpoint: CheckpointView, source_job: str, job_id: str) -> None:
    checkpoints.hold(checkpoint, source_job, get_settings().checkpoints(job_id) / START_FILE)
