"""Recipes of earlier versions, from rows and files, are lifted to the newest when they are read."""

from collections.abc import Callable, Mapping
from typing import Any

from models.spec.recipe import NEWEST_VERSION, Recipe

Json = dict[str, Any]
UPGRADES: dict[int, Callable[[Json], Json]] = {}
"""by version: what makes a recipe of the next version out of one. There is no version before 1 so far"""


def read_recipe(stored: Mapping[str, Any]) -> Recipe:
    """Read a recipe that this service once wrote. Every stored recipe is read here and nowhere else."""
    return Recipe.model_validate(upgrade(stored))


def upgrade(recipe: Mapping[str, Any]) -> Json:
    """Say the same recipe in today's words. Raises ValueError for one of a later version."""
    lifted = dict(recipe)
    while (version := lifted.get("version")) != NEWEST_VERSION:
        if not is_older(lifted):
            raise ValueError(f"Recipe version {version} is not known here; a newer Forger wrote it.")
        lifted = UPGRADES[lifted["version"]](lifted)
    return lifted


def is_older(recipe: Mapping[str, Any]) -> bool:
    """Whether it is of an earlier version that is known."""
    version = recipe.get("version")
    return isinstance(version, int) and not isinstance(version, bool) and version in UPGRADES
