"""Write the sentence that refuses a value: the field, the value, the allowed values, and the nearest name.

The allowed values are read from the JSON Schema that validated the value, so the sentence always agrees with the
check, and no sentence depends on the validation library's words.
"""

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

Json = Mapping[str, Any]
PointerSteps = tuple[int | str, ...]
DESCRIPTION_KEY = "x-words"
"""key in a schema whose value describes in words a text that a pattern checks"""
FILE_DESCRIPTION = "a file, as a part of a form that has a filename: curl -F file=@photo.jpg sends one"
MAX_VALUE_CHARACTERS = 60
"""most characters of a sent value in a sentence"""
MAX_NAMES = 40
"""most names of allowed values in a sentence"""
MIN_SIMILARITY = 0.65
"""least share of letters in the same order in two names of which one is suggested for the other: 'gna' is for 'gan'"""
OWN_ERROR_TYPES = frozenset({"incoherent", "unknown_kind", "value_error"})
"""types of errors whose sentences the failing rule writes itself"""


@dataclass(frozen=True)
class Refusal:
    """A refused value: a JSON pointer into the request, and a sentence that says what to change."""

    pointer: str
    message: str


@lru_cache
def schema_of(kind: TypeAdapter[Any]) -> dict[str, Any]:
    """Return the JSON Schema of a type."""
    return kind.json_schema()


def refusals(errors: Iterable[Json], schema: Json, inside: PointerSteps = ()) -> list[Refusal]:
    """Return a refusal for each of pydantic's errors about a value that `schema` describes, without repetitions.

    `inside` is the path from the request to the value; pointers begin with it.
    """
    return list(dict.fromkeys(_worded(error, schema, inside) for error in errors))


def without_null(schema: Json) -> Json:
    """Return the schema with fields that do not allow null, for values that are sent as text: text has no null."""
    fields = {name: _without_null_arm(field, schema) for name, field in schema.get("properties", {}).items()}
    return {**schema, "properties": fields}


def pointer(steps: Iterable[int | str]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def steps_of(pointer: str) -> list[str]:
    """Return the steps of a JSON pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.removeprefix("/").split("/")]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name with the most similar spelling, or else the only one of which `word` is a part.

    None if there is no such name. For a word without letters, such as a number, none is returned.
    """
    if not any(map(str.isalpha, word)):
        return None
    by_case, folded = {name.casefold(): name for name in known}, word[:100].casefold()
    if similar := difflib.get_close_matches(folded, by_case, 1, MIN_SIMILARITY):
        return by_case[similar[0]]
    longer = [name for part, name in by_case.items() if folded in re.split("[-_.]", part)]
    return longer[0] if len(longer) == 1 else None


def unknown(word: str, known: Iterable[str], sentence: str) -> str:
    """Return `sentence` with the nearest known name and a list of known names."""
    names = list(known)
    meant = nearest(word, names)
    near = f" Did you mean '{meant}'?" if meant else ""
    return f"{sentence}.{near} There are {listed(names)}." if names else f"{sentence}: there is none yet."


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return the names separated by commas, at most MAX_NAMES of them."""
    if len(names) > MAX_NAMES:
        return f"{', '.join(names[:MAX_NAMES])} {last} {len(names) - MAX_NAMES} more"
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


def shown(value: Any) -> str:
    """Return a value as a short phrase, without the contents of lists and objects."""
    match value:
        case str():
            return f"'{_short(value)}'"
        case None | bool():
            return json.dumps(value)
        case int() if abs(value) >= 10**MAX_VALUE_CHARACTERS:
            return "a number of very many digits"
        case int() | float():
            return str(value)
        case Mapping():
            return f"an object of {len(value)} {'field' if len(value) == 1 else 'fields'}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return "no JSON value"


def allowed(schema: Json, root: Json | None = None) -> str:
    """Return in words the values that a JSON Schema allows. `root` holds the definitions that it refers to."""
    node = _dereferenced(schema, root or schema)
    if arms := _arms(node):
        kinds = [kind for arm in arms if (kind := _kind(_dereferenced(arm, root or schema))) is not None]
        if len(kinds) == len(arms):
            return f"an object whose kind is {listed(kinds, 'or')}"
        ways = list(dict.fromkeys(allowed(arm, root or schema) for arm in arms))
        return ", or ".join(ways)
    if "const" in node:
        return shown(node["const"])
    if "enum" in node:
        return listed([str(value) for value in node["enum"]], "or")
    match node.get("type"):
        case "integer":
            return "a whole number" + _bounds(node)
        case "number":
            return "a finite number" + _bounds(node)
        case "string":
            return _text(node)
        case "boolean":
            return "true or false"
        case "null":
            return "null"
        case "array":
            inside = node.get("items")
            return "a list" + _count(node, "entries") + (f", each {allowed(inside, root or schema)}" if inside else "")
        case "object":
            fields = list(node.get("properties", ()))
            what = f" with the {'field' if len(fields) == 1 else 'fields'} {listed(fields)}" if fields else ""
            return "an object" + (what or _count(node, "fields"))
        case _:
            return "any JSON value"


def _worded(error: Json, schema: Json, inside: PointerSteps) -> Refusal:
    steps, node, parent = _located(error["loc"], schema)
    if "pointer" in (ctx := error.get("ctx", {})):
        return Refusal(ctx["pointer"], error["msg"])
    path = (*inside, *steps)
    if error["type"] in OWN_ERROR_TYPES and not _is_file(node):
        return Refusal(pointer(path), str(ctx.get("error", error["msg"])))
    return Refusal(pointer(path), _sentence(error, path, node, parent, schema))


def _sentence(error: Json, path: PointerSteps, node: Json, parent: Json, root: Json) -> str:
    name = _field_name(path)
    match error["type"]:
        case "extra_forbidden":
            known = list(parent.get("properties", ()))
            meant = nearest(str(path[-1]), known)
            near = f"; did you mean '{meant}'?" if meant else "."
            siblings = f"Allowed there: {listed(known)}." if known else "No field is allowed there."
            return f"'{name}' ({shown(error.get('input'))}) is no field here{near} {siblings}"
        case "missing":
            return f"'{name}' is missing: write {allowed(node, root)}."
        case "union_tag_not_found" | "union_tag_invalid":
            return _kind_refused(error, path, node, root)
        case _:
            value = "is not allowed" if _is_secret(node) else f"is {shown(error.get('input'))}"
            return f"'{name}' {value}: write {allowed(node, root)}."


def _kind_refused(error: Json, path: PointerSteps, node: Json, root: Json) -> str:
    kinds = [str(_kind(_dereferenced(arm, root))) for arm in _arms(_without_null_arm(node, root))]
    name, value = _field_name((*path, "kind")), error.get("input")
    if not isinstance(value, Mapping) or "kind" not in value:
        return f"'{name}' is missing: write {listed(kinds, 'or')}."
    meant = nearest(str(value["kind"]), kinds)
    near = f"; did you mean '{meant}'? Write" if meant else ": write"
    return f"'{name}' is {shown(value['kind'])}{near} {listed(kinds, 'or')}."


def _located(location: Sequence[int | str], schema: Json) -> tuple[PointerSteps, Json, Json]:
    """Return the steps of pydantic's location that are in the request, the schema there, and its parent's schema.

    The location also holds tags, which are dropped: after a union, the first step names the arm that was tried.
    """
    steps: list[int | str] = []
    node = parent = _dereferenced(schema, schema)
    rest = list(location)
    while rest:
        step = rest.pop(0)
        node = _without_null_arm(node, schema)
        # "[key]" follows the name of a field if the name itself is invalid.
        if step == "[key]":
            node = {"type": "string", **_without_null_arm(parent, schema).get("propertyNames", {})}
            continue
        if (arms := _arms(node)) and (arm := _arm(arms, step, rest, schema)) is not None:
            node = parent = arm
            continue
        if (
            arms
            and not rest
            and not isinstance(step, int)
            and all(_kind(_dereferenced(arm, schema)) is None for arm in arms)
        ):
            # The step is the name of a type that the value does not have.
            continue
        parent = node
        steps.append(step)
        node = _dereferenced(_child(node, step), schema)
    return tuple(steps), node, parent


def _arm(arms: Sequence[Json], tag: int | str, rest: Sequence[int | str], root: Json) -> Json | None:
    """Return the union's arm that a tag names by its kind, else the one that can hold the next step."""
    schemas = [_dereferenced(arm, root) for arm in arms]
    named = [arm for arm in schemas if _kind(arm) == tag]
    if named or all(_kind(arm) is not None for arm in schemas):
        return named[0] if named else None
    types = ("array",) if rest and isinstance(rest[0], int) else ("object",) if rest else ()
    return next((arm for arm in schemas if arm.get("type") in types), None)


def _child(node: Json, step: int | str) -> Json:
    """Return the schema of a field, or of a list's entry; {} if there is none."""
    if isinstance(step, int):
        child: Any = node.get("items") or next(iter(node.get("prefixItems", ())), {})
    else:
        child = node.get("properties", {}).get(step) or node.get("additionalProperties")
    return child if isinstance(child, Mapping) else {}


def _dereferenced(node: Json, root: Json) -> Json:
    """Follow references, and unions that have one arm."""
    while True:
        if "$ref" in node:
            target: Any = root
            for step in str(node["$ref"]).removeprefix("#/").split("/"):
                target = target[step]
            node = target
        elif len(arms := node.get("allOf", ())) == 1:
            node = arms[0]
        else:
            return node


def _without_null_arm(node: Json, root: Json) -> Json:
    """Return the other arm of a union of null and one more: a location has no step for it."""
    others = [arm for arm in _arms(node) if arm.get("type") != "null"]
    return _dereferenced(others[0], root) if len(others) == 1 else node


def _arms(node: Json) -> list[Json]:
    return [*node.get("oneOf", ()), *node.get("anyOf", ())]


def _kind(node: Json) -> str | None:
    """Return the value of `kind` that selects an object of a union."""
    kind = node.get("properties", {}).get("kind", {})
    value = kind.get("const", kind.get("default"))
    return None if value is None else str(value)


def _is_file(node: Json) -> bool:
    return node.get("format") == "binary" or "contentMediaType" in node


def _is_secret(node: Json) -> bool:
    return bool(node.get("writeOnly"))


def _field_name(steps: PointerSteps) -> str:
    """Return a field's path as `--set` writes it."""
    return ".".join(_short(str(step)) for step in steps) or "the body"


def _short(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + "…"


def _bounds(node: Json) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    if node.get("type") == "integer":
        low = above + 1 if above is not None else low
        high = below - 1 if below is not None else high
        above = below = None
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    parts = [
        *([f"of {_number(low)} or more"] if low is not None else []),
        *([f"above {_number(above)}"] if above is not None else []),
        *([f"at most {_number(high)}"] if high is not None else []),
        *([f"below {_number(below)}"] if below is not None else []),
    ]
    return f" {' and '.join(parts)}" if parts else ""


def _number(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)


def _text(node: Json) -> str:
    if DESCRIPTION_KEY in node:
        return str(node[DESCRIPTION_KEY])
    if _is_file(node):
        return FILE_DESCRIPTION
    return "text" + _count(node, "characters")


def _count(node: Json, unit: str) -> str:
    low = next((node[name] for name in ("minLength", "minItems", "minProperties") if name in node), None)
    high = next((node[name] for name in ("maxLength", "maxItems", "maxProperties") if name in node), None)
    if low is None and high is None:
        return ""
    if low is None:
        return f" of at most {high} {unit}"
    return f" of {low} to {high} {unit}" if high is not None else f" of {low} {unit} or more"
