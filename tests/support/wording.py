"""What a refusal may say, and values that a JSON Schema does not take."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
FOREIGN = (
    "Input should", "Extra inputs", "valid dictionary", "String should", "Field required", "Value error", "pydantic",
    "unable to", "Unable to", "discriminator", "should be", "should have", "not permitted", "^[", "]{", "\\d",
    "NoneType",
)  # fmt: skip
"""words of the library that checks, and parts of regular expressions"""


def require_plain(message: str) -> None:
    """A sentence of ours: it says what may be written, and holds nothing of a library's or of a pattern."""
    assert not [word for word in FOREIGN if word in message], message
    assert "write " in message or "Write " in message or "Allowed there" in message, message


def require_told(message: str, name: str, value: Any) -> None:
    """The field and the value are named, strings and numbers as they were sent."""
    require_plain(message)
    assert name in message, (name, message)
    if isinstance(value, str):
        assert f"'{value}'" in message, message
    elif isinstance(value, int | float) and not isinstance(value, bool):
        assert str(value) in message or "very many digits" in message, message


def wrong_for(schema: Json, root: Json) -> Iterator[Any]:
    """Values that a schema does not take: of other types, out of its range, none of its names."""
    arms = [followed(arm, root) for arm in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))]
    kinds = {arm.get("type", "any") for arm in arms} if arms else {schema.get("type", "any")}
    if "any" in kinds and "enum" not in schema and "const" not in schema:
        return
    if not kinds & {"null"}:
        yield None
    if not kinds & {"array"}:
        yield [1, 2]
    if not kinds & {"object"}:
        yield {"a": 1}
    if not kinds & {"string"} or "enum" in schema or "pattern" in schema:
        yield "Nonsense!"
    for arm in arms or [schema]:
        if arm.get("type") in ("integer", "number") and kinds <= {"integer", "number", "null"}:
            yield from _outside(arm)
    if kinds <= {"array", "object", "null"}:
        yield 3


def followed(schema: Json, root: Json) -> Json:
    """The schema behind a reference."""
    while "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _outside(schema: Json) -> Iterator[float]:
    whole = schema["type"] == "integer"
    if whole:
        yield 1.5
    else:
        yield math.nan
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"]
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "exclusiveMaximum" in schema:
        yield schema["exclusiveMaximum"]
