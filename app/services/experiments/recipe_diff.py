"""List the fields in which recipes differ, by pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.spec.wording import pointer


@dataclass(frozen=True, slots=True)
class Difference:
    """A JSON pointer, and the value of each recipe there, in the order of the recipes."""

    path: str
    values: list[Any]


def differences(values: Sequence[Any], path: str = "") -> list[Difference]:
    """Return the deepest places at which JSON values differ; none if they are equal.

    Objects of different `kind` differ as a whole, and so do lists of different length and lists of numbers.
    """
    if all(value == values[0] for value in values[1:]):
        return []
    steps = _steps(values)
    if not steps:
        return [Difference(path, list(values))]
    deeper = (differences([_at(value, step) for value in values], _joined_pointer(path, step)) for step in steps)
    return [difference for part in deeper for difference in part]


def _steps(values: Sequence[Any]) -> list[str | int]:
    """Return the keys or indices below which to compare; none unless all values have one shape."""
    if all(isinstance(value, dict) for value in values):
        kinds = {value.get("kind") for value in values}
        return list(dict.fromkeys(name for value in values for name in value)) if len(kinds) == 1 else []
    if all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
        objects = all(isinstance(item, dict) for value in values for item in value)
        return list(range(len(values[0]))) if objects else []
    return []


def _at(value: Any, step: str | int) -> Any:
    """Return the value at a key or index; None if an object does not have it."""
    return value[step] if isinstance(step, int) else value.get(step)


def _joined_pointer(path: str, step: str | int) -> str:
    return path + pointer((step,))
