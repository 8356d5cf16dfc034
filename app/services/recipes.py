"""Recipes: resolve what a client sends, and list the families."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from app.core.errors import FieldError, NotFound, refused
from app.core.settings import get_settings
from app.services.datasets.catalog import all_datasets
from forger.wire import NAME_LENGTH
from models.spec.data import DataSpec, Points, Sequences
from models.spec.datasets import DatasetInfo
from models.spec.families import FAMILIES, Dial, Family
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve
from models.spec.wording import Refusal, unknown

Json = Mapping[str, Any]


def whole(
    recipe: str | Json,
    *,
    dataset: str | None,
    seed: int | None,
    budget: Json | None,
    overrides: Json | None,
) -> tuple[str | None, Recipe]:
    """The family's name, if one was named, and the whole recipe. Raises Invalid."""
    datasets = all_datasets()
    try:
        family, made = resolve(
            recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides, datasets=datasets
        )
        _require_room(made.data, datasets[made.data.dataset], "/overrides" if family else "/recipe")
    except RecipeRefused as error:
        errors = [FieldError(refusal.pointer, refusal.message) for refusal in error.refusals]
        raise refused("The recipe was refused.", errors, "recipe_refused") from error
    return family, made


def prepared_bytes(data: DataSpec, info: DatasetInfo) -> int:
    """Of an uploaded dataset's pictures as training reads them, at the recipe's size; 0 of a built-in one."""
    if not info.uploaded or isinstance(data, Points | Sequences):
        return 0
    return info.size * (2 if info.kind == "paired" else 1) * data.channels * data.prepared_side**2


def _require_room(data: DataSpec, info: DatasetInfo, pointer: str) -> None:
    """Raises RecipeRefused where the pictures, as large as the recipe makes them, take too much."""
    needed, most = prepared_bytes(data, info), get_settings().max_prepared_bytes
    if needed > most and not isinstance(data, Points | Sequences):
        name = "load" if data.prepared_side > data.side else "side"
        sentence = (
            f"At {name} {data.prepared_side} '{info.name}' takes {needed} bytes, "
            f"more than {most} (max_prepared_bytes). "
            f"Choose a smaller data.{name}."
        )
        raise RecipeRefused(Refusal(f"{pointer}/data/{name}", sentence))


def default_model(family: str | None, recipe: Recipe) -> str:
    """What a job publishes when the client gives no name."""
    return f"{family or 'custom'}-{recipe.data.dataset}"[:NAME_LENGTH]


def find(name: str) -> Family:
    if name not in FAMILIES:
        raise NotFound(unknown(name, FAMILIES, f"There is no recipe '{name[:80]}'"))
    return FAMILIES[name]


@lru_cache
def defaults(name: str) -> Recipe:
    """The family's whole recipe on its default dataset."""
    return resolve(name, dataset=None, seed=None, budget=None, overrides=None)[1]


def dials(family: Family) -> tuple[Dial, ...]:
    """The family's dials, as far as they may be turned here: fewer steps, where a setting allows no more."""
    most = get_settings().max_steps
    return tuple(
        replace(dial, maximum=min(dial.maximum, most)) if dial.path == "/budget/steps" else dial
        for dial in family.dials
    )


@lru_cache
def schema() -> dict[str, Any]:
    """JSON Schema of a whole recipe."""
    return Recipe.model_json_schema()
