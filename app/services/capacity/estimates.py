"""Estimate a training's needs and hold them against the limits before anything is built."""

from collections.abc import Iterator

from app.core.errors import FieldError, Invalid
from app.core.settings import get_settings
from models.spec.estimates import resources
from models.spec.estimates.resources import Estimate
from models.spec.recipe import Recipe


def of(recipe: Recipe, devices: int = 1) -> Estimate:
    return resources.estimate(recipe, devices=devices, checkpoints=get_settings().keep_checkpoints)


def require(recipe: Recipe, devices: int, *, recipe_at: str, budget_at: str) -> None:
    """Raises Invalid with a sentence for each limit that is exceeded; `..._at` point to where the client wrote."""
    errors = tuple(_refusals(recipe, devices, recipe_at, budget_at))
    if errors:
        raise Invalid(" ".join(error.message for error in errors), code="limit_exceeded", errors=errors)


def _refusals(recipe: Recipe, devices: int, recipe_at: str, budget_at: str) -> Iterator[FieldError]:
    settings, taken = get_settings(), of(recipe, devices)
    weights, steps = taken.parameters.total, recipe.budget.steps
    if recipe.budget.minutes is None and steps > settings.max_steps:
        yield FieldError(
            f"{budget_at}/steps", f"{steps:,} steps are more than {settings.max_steps:,} (max_steps): train fewer."
        )
    if weights > settings.max_parameters:
        yield FieldError(
            recipe_at,
            f"Its networks have {weights:,} weights, more than {settings.max_parameters:,} (max_parameters): make them "
            "narrower, or the pictures smaller.",
        )
    if taken.memory_bytes > settings.max_memory_bytes:
        yield FieldError(
            recipe_at,
            f"Training takes {taken.memory_bytes:,} bytes of memory, more than {settings.max_memory_bytes:,} "
            "(max_memory_bytes): make batch_size, the networks or the pictures smaller.",
        )
    if taken.disk_bytes > settings.max_job_bytes:
        yield FieldError(
            recipe_at,
            f"The job may come to keep {taken.disk_bytes:,} bytes on the disk, more than {settings.max_job_bytes:,} "
            "(max_job_bytes): make the networks smaller, or report_every larger.",
        )
