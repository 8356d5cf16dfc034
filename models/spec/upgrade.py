"""Recipes of earlier versions are lifted to the newest when they are read."""

from typing import Any


def upgrade(recipe: dict[str, Any]) -> dict[str, Any]:
    """The same recipe in today's words. Version 1 is the only one so far. Raises ValueError for a later one."""
    version = recipe.get("version")
    if version != 1:
        raise ValueError(f"Recipe version {version} is not known here; a newer Forger wrote it.")
    return recipe
