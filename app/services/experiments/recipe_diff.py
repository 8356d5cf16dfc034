"""List the fields in which recipes differ. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.spec.wording import pointer


@dataclass(frozen=True, slots=True)
class Difference:
    """A JSON pointer and the value of each there, in their order."""

    path: str
    values: list[Any]


def differences(values: Sequence[Any], path: str = "") -> list[Difference]:
    """Every place at which JSON values differ, as deep as they are alike in shape; nothing where they are equal.

    Objects of different `kind` are different things and differ as a whole; so do lists of different length, and
    lists of numbers.
    """
    if all(value == values[0] for value in values[1:]):
        return []
    steps = _steps(values)
    if not steps:
        return [Difference(path, list(values))]
    deeper = (differences([_at(value, step) for value in values], _below(path, step)) for step in steps)
    return [found for part in deeper for found in part]


def _steps(values: Sequence[Any]) -> list[str | int]:
    """Where to look on, nowhere unless all values are alike in shape."""
    if all(isinstance(value, dict) for value in values):
        kinds = {value.get("kind") for value in values}
        return list(dict.fromkeys(name for value in values for name in value)) if len(kinds) == 1 else []
    if all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
        objects = all(isinstance(item, dict) for value in values for item in value)
        return list(range(len(values[0]))) if objects else []
    return []


def _at(value: Any, step: str | int) -> Any:
    """Null where an object does not name it."""
    return value[step] if isinstance(step, int) else value.get(step)


def _below(path: str, step: str | int) -> str:
    return path + pointer((step,))
