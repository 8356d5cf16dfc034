"""Recipes: what a client sends, made whole or refused; the families as a catalogue."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from app.core.errors import FieldError, Invalid, NotFound
from app.core.limits import NAME_LENGTH
from app.services.datasets import all_datasets
from models.spec.families import FAMILIES, Family
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve

Json = Mapping[str, Any]


def whole(
    recipe: str | Json,
    *,
    dataset: str | None,
    seed: int | None,
    budget: Json | None,
    overrides: Json | None,
) -> tuple[str | None, Recipe]:
    """The family's name, if one was named, and the whole recipe. Raises Invalid with a pointer per refusal."""
    try:
        family, made = resolve(
            recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides, datasets=all_datasets()
        )
    except RecipeRefused as refused:
        errors = tuple(FieldError(refusal.pointer, refusal.message) for refusal in refused.refusals)
        named = " ".join(f"{error.pointer}: {error.message.rstrip('.')}." for error in errors)
        raise Invalid(f"The recipe was refused. {named}", code="recipe_refused", errors=errors) from refused
    return family, made


def default_model(family: str | None, recipe: Recipe) -> str:
    """What a job publishes when the client gives no name."""
    return f"{family or 'custom'}-{recipe.data.dataset}"[:NAME_LENGTH]


def find(name: str) -> Family:
    if name not in FAMILIES:
        raise NotFound(f"There is no recipe '{name[:80]}'; there are {', '.join(FAMILIES)}.")
    return FAMILIES[name]


@lru_cache
def defaults(name: str) -> Recipe:
    """The family's whole recipe on its default dataset."""
    return resolve(name, dataset=None, seed=None, budget=None, overrides=None)[1]


@lru_cache
def schema() -> dict[str, Any]:
    """JSON Schema of a whole recipe."""
    return Recipe.model_json_schema()
