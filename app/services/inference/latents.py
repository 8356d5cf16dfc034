"""Check latents, and the weights of classes that go with them. Numpy only: the engine has the networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import FieldError, Invalid
from models.spec.recipe import Recipe

Array = NDArray[Any]
WEIGHTS_TOLERANCE = 1e-3
"""by how much weights of classes may sum to something else than 1: clients round them"""


@dataclass(frozen=True, eq=False)
class Codes:
    """Latents float32 [n, size] to generate from, and the weights of the classes float32 [n, classes], if any."""

    latents: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.latents)

    def lists(self) -> dict[str, list[list[float]] | None]:
        """Return both as POST /sample takes them."""
        weights = None if self.weights is None else self.weights.tolist()
        return {"latents": self.latents.tolist(), "class_weights": weights}


def checked_latents(rows: Sequence[Sequence[float]], recipe: Recipe, model: str, pointer: str = "/latents") -> Array:
    """Return sent latents as float32 [n, size]. Raises Invalid at the first of a wrong length."""
    size = recipe.latent.size
    for number, row in enumerate(rows):
        if len(row) != size:
            raise refused(f"{pointer}/{number}", f"This latent has {len(row)} numbers: write the {size} of {model}.")
    return np.array(rows, np.float32)


def weights_of_class(number: int | None, recipe: Recipe, n: int) -> Array | None:
    """Return the weights float32 [n, classes] of n pictures of one class; None without classes."""
    if number is None:
        return None
    weights = np.zeros((n, recipe.classes), np.float32)
    weights[:, number] = 1
    return weights


def checked_weights(rows: Sequence[Sequence[float]], recipe: Recipe, model: str, n: int) -> Array:
    """Return sent weights of classes as float32 [n, classes], each row summing to 1. Raises Invalid."""
    if not recipe.classes:
        raise refused("/class_weights", f"{model} has no classes: leave `class_weights` out.")
    if len(rows) != n:
        raise refused("/class_weights", f"There are {len(rows)} rows of weights for {n} latents: write one for each.")
    for number, row in enumerate(rows):
        pointer = f"/class_weights/{number}"
        if len(row) != recipe.classes:
            raise refused(pointer, f"This row has {len(row)} weights: write one for each of {recipe.classes} classes.")
        if abs(sum(row) - 1) > WEIGHTS_TOLERANCE:
            raise refused(pointer, f"These weights sum to {sum(row):.4g}: write weights that sum to 1.")
    weights = np.array(rows, np.float64)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def refused(pointer: str, sentence: str, code: str = "invalid_latent") -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError(pointer, sentence),))
