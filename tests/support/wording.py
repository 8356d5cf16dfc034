"""Rules for the sentences of refusals, and values that a JSON Schema does not accept."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
FOREIGN = (
    "Input should", "Extra inputs", "valid dictionary", "String should", "Field required", "Value error", "pydantic",
    "unable to", "Unable to", "discriminator", "should be", "should have", "not permitted", "^[", "]{", "\\d",
    "NoneType",
)  # fmt: skip
"""words of the validation library, and parts of regular expressions"""


def require_plain(message: str) -> None:
    """Check that the message says what may be written, without words of a library and without patterns."""
    assert not [word for word in FOREIGN if word in message], message
    assert "write " in message or "Write " in message or "Allowed there" in message, message


def require_told(message: str, name: str, value: Any) -> None:
    """Check that the message names the field and the value, strings and numbers as they were sent."""
    require_plain(message)
    assert name in message, (name, message)
    if isinstance(value, str):
        assert f"'{value}'" in message, message
    elif isinstance(value, int | float) and not isinstance(value, bool):
        assert str(value) in message or "very many digits" in message, message


def wrong_for(schema: Json, root: Json) -> Iterator[Any]:
    """Yield values that the schema does not accept: of other types, out of its range, or not among its names."""
    arms = [followed(arm, root) for arm in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))]
    types = {arm.get("type", "any") for arm in arms} if arms else {schema.get("type", "any")}
    if "any" in types and "enum" not in schema and "const" not in schema:
        return
    if not types & {"null"}:
        yield None
    if not types & {"array"}:
        yield [1, 2]
    if not types & {"object"}:
        yield {"a": 1}
    if not types & {"string"} or "enum" in schema or "pattern" in schema:
        yield "Nonsense!"
    for arm in arms or [schema]:
        if arm.get("type") in ("integer", "number") and types <= {"integer", "number", "null"}:
            yield from _outside(arm)
    if types <= {"array", "object", "null"}:
        yield 3


def followed(schema: Json, root: Json) -> Json:
    """Return the schema behind a reference."""
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
