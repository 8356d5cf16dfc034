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

    def split(self) -> list["Codes"]:
        """Return each as one code."""
        rows = range(len(self))
        return [
            Codes(self.latents[row : row + 1], None if self.weights is None else self.weights[row : row + 1])
            for row in rows
        ]

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
    return np.array(rows, np.float32).reshape(len(rows), size)


def weights_of_class(number: int | None, recipe: Recipe, n: int) -> Array | None:
    """Return the weights float32 [n, classes] of n pictures of one class; None without classes."""
    return None if number is None else _one_hot([number] * n, recipe.classes)


def weights_of_classes(
    numbers: Sequence[int | None], recipe: Recipe, model: str, n: int, pointer: str = "/classes"
) -> Array | None:
    """Return the weights float32 [n, classes] of pictures of these classes; None without classes. Raises Invalid."""
    if len(numbers) != n:
        raise refused(pointer, f"There are {len(numbers)} classes for {n} latents: write one for each.")
    for place, number in enumerate(numbers):
        if number is None and recipe.classes:
            raise refused(f"{pointer}/{place}", f"{model} has classes: write a number or a name.")
    known_numbers = [number for number in numbers if number is not None]
    return _one_hot(known_numbers, recipe.classes) if recipe.classes else None


def checked_weights(
    rows: Sequence[Sequence[float]], recipe: Recipe, model: str, n: int, pointer: str = "/class_weights"
) -> Array:
    """Return sent weights of classes as float32 [n, classes], each row summing to 1. Raises Invalid."""
    if not recipe.classes:
        raise refused(pointer, f"{model} has no classes: leave `class_weights` out.")
    if len(rows) != n:
        raise refused(pointer, f"There are {len(rows)} rows of weights for {n} latents: write one for each.")
    for number, row in enumerate(rows):
        place = f"{pointer}/{number}"
        if len(row) != recipe.classes:
            raise refused(place, f"This row has {len(row)} weights: write one for each of {recipe.classes} classes.")
        if abs(sum(row) - 1) > WEIGHTS_TOLERANCE:
            raise refused(place, f"These weights sum to {sum(row):.4g}: write weights that sum to 1.")
    weights = np.array(rows, np.float64).reshape(n, recipe.classes)
    weights /= weights.sum(1, keepdims=True)
    return weights.astype(np.float32)


def _one_hot(numbers: Sequence[int], classes: int) -> Array:
    weights = np.zeros((len(numbers), classes), np.float32)
    weights[np.arange(len(numbers)), numbers] = 1
    return weights


def refused(pointer: str, sentence: str, code: str = "invalid_latent") -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError(pointer, sentence),))
