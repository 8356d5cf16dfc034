"""Estimate a training's weights, memory and disk space, and check them against the limits."""

from collections.abc import Iterator

from app.core.errors import FieldError, Invalid
from app.core.settings import get_settings
from models.spec.estimates import resources
from models.spec.estimates.resources import Estimate
from models.spec.recipe import Recipe


def estimate(recipe: Recipe, devices: int = 1) -> Estimate:
    """Estimate a training that keeps as many checkpoints as the settings say."""
    return resources.estimate(recipe, devices=devices, checkpoints=get_settings().keep_checkpoints)


def check_limits(recipe: Recipe, devices: int, *, recipe_at: str, budget_at: str) -> None:
    """Raise Invalid with a sentence for each exceeded limit.

    `recipe_at` and `budget_at` are JSON pointers to the recipe and the budget in the client's request.
    """
    errors = tuple(_refusals(recipe, devices, recipe_at, budget_at))
    if errors:
        raise Invalid(" ".join(error.message for error in errors), code="limit_exceeded", errors=errors)


def _refusals(recipe: Recipe, devices: int, recipe_at: str, budget_at: str) -> Iterator[FieldError]:
    settings, needed = get_settings(), estimate(recipe, devices)
    weights, steps = needed.parameters.total, recipe.budget.steps
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
    if needed.memory_bytes > settings.max_memory_bytes:
        yield FieldError(
            recipe_at,
            f"Training takes {needed.memory_bytes:,} bytes of memory, more than {settings.max_memory_bytes:,} "
            "(max_memory_bytes): make batch_size, the networks or the pictures smaller.",
        )
    if needed.disk_bytes > settings.max_job_bytes:
        yield FieldError(
            recipe_at,
            f"The job could need up to {needed.disk_bytes:,} bytes of disk space; the limit is "
            f"{settings.max_job_bytes:,} (max_job_bytes): make the networks smaller, or report_every larger.",
        )
