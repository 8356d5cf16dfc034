"""Complete the recipes of requests, and list the families."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from app.core.errors import FieldError, NotFound, invalid_request
from app.core.settings import get_settings
from app.services.datasets.catalog import all_datasets
from forger.wire import MAX_NAME_CHARACTERS
from models.spec.data import DataSpec, Points, Sequences
from models.spec.datasets import DatasetInfo
from models.spec.families import FAMILIES, Dial, Family
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve
from models.spec.wording import Refusal, unknown

Json = Mapping[str, Any]


def complete(
    recipe: str | Json,
    *,
    dataset: str | None,
    seed: int | None,
    budget: Json | None,
    overrides: Json | None,
) -> tuple[str | None, Recipe]:
    """Return the family's name, if the request names one, and the complete recipe. Raises Invalid."""
    datasets = all_datasets()
    try:
        family, resolved = resolve(
            recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides, datasets=datasets
        )
        _require_room(resolved.data, datasets[resolved.data.dataset], "/overrides" if family else "/recipe")
    except RecipeRefused as error:
        errors = [FieldError(refusal.pointer, refusal.message) for refusal in error.refusals]
        raise invalid_request("The recipe was refused.", errors, "recipe_refused") from error
    return family, resolved


def prepared_bytes(data: DataSpec, info: DatasetInfo) -> int:
    """Return the bytes of an uploaded dataset's pictures at the recipe's size; 0 for a built-in dataset."""
    if not info.uploaded or isinstance(data, Points | Sequences):
        return 0
    return info.size * (2 if info.kind == "paired" else 1) * data.channels * data.prepared_side**2 * data.bits // 8


def _require_room(data: DataSpec, info: DatasetInfo, pointer: str) -> None:
    """Raise RecipeRefused if the pictures at the recipe's size take more than max_prepared_bytes."""
    needed, limit = prepared_bytes(data, info), get_settings().max_prepared_bytes
    if needed > limit and not isinstance(data, Points | Sequences):
        name = "load" if data.prepared_side > data.side else "side"
        sentence = (
            f"At {name} {data.prepared_side} '{info.name}' takes {needed} bytes, "
            f"more than {limit} (max_prepared_bytes). Choose a smaller data.{name}."
        )
        raise RecipeRefused(Refusal(f"{pointer}/data/{name}", sentence))


def default_model(family: str | None, recipe: Recipe, suffix: str = "") -> str:
    """Return the name under which a job publishes if the client gives none. A long one keeps its suffix."""
    return f"{family or 'custom'}-{recipe.data.dataset}"[: MAX_NAME_CHARACTERS - len(suffix)] + suffix


def find(name: str) -> Family:
    """Return the family. Raises NotFound with the nearest name."""
    if name not in FAMILIES:
        raise NotFound(unknown(name, FAMILIES, f"There is no recipe '{name[:80]}'"))
    return FAMILIES[name]


@lru_cache
def defaults(name: str) -> Recipe:
    """Return the family's complete recipe on its default dataset."""
    return resolve(name, dataset=None, seed=None, budget=None, overrides=None)[1]


def dials(family: Family) -> tuple[Dial, ...]:
    """Return the family's dials; the dial for steps ends at max_steps."""
    max_steps = get_settings().max_steps
    return tuple(
        replace(dial, maximum=min(dial.maximum, max_steps)) if dial.path == "/budget/steps" else dial
        for dial in family.dials
    )


@lru_cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a complete recipe."""
    return Recipe.model_json_schema()
