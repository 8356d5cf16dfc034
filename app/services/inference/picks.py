"""Choose the class of each sample: the requested one, or else one that seed and number determine."""

import hashlib

from models.spec.recipe import Recipe
from serving.protocol import Pick


def picks_of(recipe: Recipe, label: int | str | None, n: int, seed: int) -> list[Pick]:
    """Return class and number of each sample, row by row. Without a label, seed and number determine a needed class."""
    if label == "each":
        return [(row, index) for row in range(recipe.classes) for index in range(n)]
    return [pick_of(recipe, label if isinstance(label, int) else None, seed, index) for index in range(n)]


def pick_of(recipe: Recipe, label: int | None, seed: int, index: int) -> Pick:
    """Return class and number of one sample."""
    if label is None and recipe.class_conditional:
        return _any_class(seed, index, recipe.classes), index
    return label, index


def _any_class(seed: int, index: int, classes: int) -> int:
    digest = hashlib.blake2b(f"{seed}/class/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % classes
