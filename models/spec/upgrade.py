"""Upgrade stored recipes of earlier versions when they are read."""

from collections.abc import Callable, Mapping
from typing import Any

from models.spec.recipe import NEWEST_VERSION, Recipe

Json = dict[str, Any]
UPGRADES: dict[int, Callable[[Json], Json]] = {}
"""by version, the function that turns its recipes into those of the next version; there is only version 1 so far"""


def read_recipe(stored: Mapping[str, Any]) -> Recipe:
    """Read a stored recipe of any version. Every stored recipe must be read by this function."""
    return Recipe.model_validate(upgrade(stored))


def upgrade(recipe: Mapping[str, Any]) -> Json:
    """Upgrade a recipe's fields to the newest version. Raises ValueError for one of a later version."""
    upgraded = dict(recipe)
    while (version := upgraded.get("version")) != NEWEST_VERSION:
        if not is_older(upgraded):
            raise ValueError(f"Recipe version {version} is not known here; a newer Forger wrote it.")
        upgraded = UPGRADES[upgraded["version"]](upgraded)
    return upgraded


def is_older(recipe: Mapping[str, Any]) -> bool:
    """Return whether the recipe is of an earlier version that can be upgraded."""
    version = recipe.get("version")
    return isinstance(version, int) and not isinstance(version, bool) and version in UPGRADES
