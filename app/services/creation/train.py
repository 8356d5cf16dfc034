"""Plan a job that trains: resolve its recipe, and check its size, its devices and its first weights."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from app.core.errors import FieldError, Invalid, NotFound, invalid_request
from app.core.settings import get_settings
from app.services import recipes
from app.services.capacity import durations, estimates
from app.services.job_spec import JobPlan, Train
from app.services.models import checkpoints
from app.services.models.source_weights import START_FILE
from app.services.views import CheckpointView
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
    history: durations.DurationHistory | None = None,
) -> JobPlan[Train]:
    """Plan one training. When many are planned, pass `history`, so that it is read once.

    Raises Invalid with a pointer per refusal, NotFound if the checkpoint does not exist.
    """
    family, resolved = recipes.complete(recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides)
    _require_devices(resolved, devices)
    recipe_at = "/overrides" if overrides else "/recipe"
    budget_at = "/budget" if budget else f"{recipe_at}/budget"
    estimates.check_limits(resolved, devices, recipe_at=recipe_at, budget_at=budget_at)
    durations.require(resolved, family, budget_at, history or durations.read_history())
    name = model or recipes.default_model(family, resolved)
    return of_recipe(resolved, family, name, devices=devices, start_from=start_from)


def of_recipe(
    recipe: Recipe, family: str | None, model_name: str, *, devices: int = 1, start_from: str | None = None
) -> JobPlan[Train]:
    """Plan the training of a complete recipe. Raises Invalid or NotFound if the checkpoint `start_from` is unusable."""
    stored = estimates.estimate(recipe, devices).disk_bytes
    common: dict[str, Any] = {"recipe": recipe, "family": family, "model_name": model_name, "devices": devices}
    if start_from is None:
        return JobPlan(Train(**common, start_from=None, extended_at=None), stored)
    checkpoint, job_id = _find_fitting(start_from, recipe)
    weights = checkpoints.weights_of(checkpoint, job_id)
    return JobPlan(
        Train(**common, start_from=weights, extended_at=None), stored, partial(_keep_checkpoint, checkpoint, job_id)
    )


def notes(recipe: Recipe) -> list[str]:
    """Return sentences on what will not be measured in a training, for its client to know beforehand."""
    watch, steps = recipe.watch, recipe.budget.steps
    if watch is None:
        return ["Nothing will be measured, and its health stays unknown: leave `watch` out to get the default one."]
    if recipe.budget.minutes is None and watch.every >= steps:
        return [
            f"It is evaluated only at its end, after {steps} steps: an evaluation comes every {watch.every} steps "
            "(watch.every). Trouble before the end is not noticed."
        ]
    return []


def _require_devices(recipe: Recipe, devices: int) -> None:
    """Raise Invalid if there are fewer devices, or if the work cannot be divided among them."""
    if (refusal := _devices_refusal(recipe, devices)) is not None:
        raise Invalid(refusal.message, code="devices_refused", errors=(refusal,))


def _devices_refusal(recipe: Recipe, devices: int) -> FieldError | None:
    if devices > (limit := get_settings().max_devices):
        sentence = f"A job uses at most {limit} devices here (max_devices), not {devices}: ask for fewer."
        return FieldError("/resources/devices", sentence)
    packing = recipe.game.packing if isinstance(recipe.game, Synthesis) else 1
    if recipe.batch_size % (packing * devices):
        multiple = f"a multiple of {packing * devices}" + (f" ({packing} are judged at a time)" if packing > 1 else "")
        return FieldError(
            "/resources/devices",
            f"A batch of {recipe.batch_size} cannot be divided equally among {devices} devices: "
            f"make batch_size {multiple}, or ask for another number of devices.",
        )
    if devices > 1 and recipe.budget.minutes is not None:
        return FieldError("/budget", "Minutes are measured on one device: give the budget in steps or epochs.")
    return None


def _find_fitting(checkpoint_id: str, recipe: Recipe) -> tuple[CheckpointView, str]:
    """Return the checkpoint, whose weights must fit the recipe, and its job's id. Raises NotFound, Invalid."""
    try:
        checkpoint, job = checkpoints.find(checkpoint_id)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/start_from", error.detail),)) from None
    if differences := incompatibilities(job.recipe, recipe):
        errors = [FieldError("/start_from", difference) for difference in differences]
        raise invalid_request(
            "The weights of the checkpoint do not fit the recipe: change it.", errors, "start_refused"
        )
    return checkpoint, job.id


def _keep_checkpoint(checkpoint: CheckpointView, source_job: str, job_id: str) -> None:
    checkpoints.keep(checkpoint, source_job, get_settings().checkpoints(job_id) / START_FILE)
