"""Word the refusal of a value: the field, the value, what is allowed, and the nearest name.

What is allowed is told from the JSON Schema that the value was held against, so it is never another thing than what is
checked, and no sentence depends on how the checking library words it.
"""

import difflib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

Json = Mapping[str, Any]
PointerSteps = tuple[int | str, ...]
DESCRIPTION_KEY = "x-words"
"""in a schema: what a text must be, in words, where a pattern checks it"""
FILE_DESCRIPTION = "a file, as a part of a form that has a filename: curl -F file=@photo.jpg sends one"
MAX_VALUE_CHARACTERS = 60
"""characters told of a value that was sent"""
MAX_NAMES = 40
"""names told of those that are allowed"""
OWN_ERROR_TYPES = frozenset({"incoherent", "unknown_kind", "value_error"})
"""types of errors whose sentences we write ourselves where the rule stands"""


@dataclass(frozen=True)
class Refusal:
    """What is wrong and where: a JSON pointer into the request, and a sentence that says what to change."""

    pointer: str
    message: str


@lru_cache
def schema_of(kind: TypeAdapter[Any]) -> dict[str, Any]:
    """Return the JSON Schema of what a type takes."""
    return kind.json_schema()


def refusals(errors: Iterable[Json], schema: Json, inside: PointerSteps = ()) -> list[Refusal]:
    """Word pydantic's errors about a value that was held against `schema`, each once.

    `inside` are the steps that lead to the value from where pointers begin.
    """
    return list(dict.fromkeys(_worded(error, schema, inside) for error in errors))


def without_null(schema: Json) -> Json:
    """Return what an object takes whose values are sent as text, in which null cannot be written."""
    fields = {name: _without_null_arm(field, schema) for name, field in schema.get("properties", {}).items()}
    return {**schema, "properties": fields}


def pointer(steps: Iterable[int | str]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def steps_of(pointer: str) -> list[str]:
    """Return the steps of a JSON pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.removeprefix("/").split("/")]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that is spelled most alike, if one is much alike."""
    by_case = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word[:100].casefold(), by_case, 1, 0.6)
    return by_case[found[0]] if found else None


def unknown(word: str, known: Iterable[str], sentence: str) -> str:
    """Return the sentence that refuses an unknown name, with the nearest one and those that are known."""
    names = list(known)
    meant = nearest(word, names)
    near = f" Did you mean '{meant}'?" if meant else ""
    return f"{sentence}.{near} There are {listed(names)}." if names else f"{sentence}: there is none yet."


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return the names between commas, the first `MAX_NAMES` of them."""
    if len(names) > MAX_NAMES:
        return f"{', '.join(names[:MAX_NAMES])} {last} {len(names) - MAX_NAMES} more"
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


def shown(value: Any) -> str:
    """Return a value as a sentence tells it: short, and without what is inside lists and objects."""
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
    """Return in words what a JSON Schema takes. `root` holds the definitions that it refers to."""
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
    at = (*inside, *steps)
    if error["type"] in OWN_ERROR_TYPES and not _is_file(node):
        return Refusal(pointer(at), str(ctx.get("error", error["msg"])))
    return Refusal(pointer(at), _sentence(error, at, node, parent, schema))


def _sentence(error: Json, at: PointerSteps, node: Json, parent: Json, root: Json) -> str:
    name = _field_name(at)
    match error["type"]:
        case "extra_forbidden":
            known = list(parent.get("properties", ()))
            meant = nearest(str(at[-1]), known)
            near = f"; did you mean '{meant}'?" if meant else "."
            beside = f"Allowed there: {listed(known)}." if known else "No field is allowed there."
            return f"'{name}' ({shown(error.get('input'))}) is no field here{near} {beside}"
        case "missing":
            return f"'{name}' is missing: write {allowed(node, root)}."
        case "union_tag_not_found" | "union_tag_invalid":
            return _kind_refused(error, at, node, root)
        case _:
            value = "is not what is taken" if _is_secret(node) else f"is {shown(error.get('input'))}"
            return f"'{name}' {value}: write {allowed(node, root)}."


def _kind_refused(error: Json, at: PointerSteps, node: Json, root: Json) -> str:
    kinds = [str(_kind(_dereferenced(arm, root))) for arm in _arms(_without_null_arm(node, root))]
    name, value = _field_name((*at, "kind")), error.get("input")
    if not isinstance(value, Mapping) or "kind" not in value:
        return f"'{name}' is missing: write {listed(kinds, 'or')}."
    meant = nearest(str(value["kind"]), kinds)
    near = f"; did you mean '{meant}'? Write" if meant else ": write"
    return f"'{name}' is {shown(value['kind'])}{near} {listed(kinds, 'or')}."


def _located(location: Sequence[int | str], schema: Json) -> tuple[PointerSteps, Json, Json]:
    """The steps of a location that a person wrote, the schema where they lead, and the one around it.

    Others are tags: after a union the first step says which of its kinds was tried.
    """
    steps: list[int | str] = []
    node = parent = _dereferenced(schema, schema)
    rest = list(location)
    while rest:
        step = rest.pop(0)
        node = _without_null_arm(node, schema)
        if step == "[key]":  # of an object whose names are checked, after the name
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
            continue  # the name of a type that the value is not
        parent = node
        steps.append(step)
        node = _dereferenced(_child(node, step), schema)
    return tuple(steps), node, parent


def _arm(arms: Sequence[Json], tag: int | str, rest: Sequence[int | str], root: Json) -> Json | None:
    """The arm that a tag names: by its kind, else the one that has the next step."""
    known = [_dereferenced(arm, root) for arm in arms]
    named = [arm for arm in known if _kind(arm) == tag]
    if named or all(_kind(arm) is not None for arm in known):
        return named[0] if named else None
    wanted = ("array",) if rest and isinstance(rest[0], int) else ("object",) if rest else ()
    return next((arm for arm in known if arm.get("type") in wanted), None)


def _child(node: Json, step: int | str) -> Json:
    """The schema of a field, an entry or a value."""
    if isinstance(step, int):
        found: Any = node.get("items") or next(iter(node.get("prefixItems", ())), {})
    else:
        found = node.get("properties", {}).get(step) or node.get("additionalProperties")
    return found if isinstance(found, Mapping) else {}


def _dereferenced(node: Json, root: Json) -> Json:
    """Without references, and without a union that has one arm."""
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
    """Without null, where there is one other thing that it may be: a location has no step for it."""
    others = [arm for arm in _arms(node) if arm.get("type") != "null"]
    return _dereferenced(others[0], root) if len(others) == 1 else node


def _arms(node: Json) -> list[Json]:
    return [*node.get("oneOf", ()), *node.get("anyOf", ())]


def _kind(node: Json) -> str | None:
    """The kind that an object of a union goes by."""
    kind = node.get("properties", {}).get("kind", {})
    found = kind.get("const", kind.get("default"))
    return None if found is None else str(found)


def _is_file(node: Json) -> bool:
    return node.get("format") == "binary" or "contentMediaType" in node


def _is_secret(node: Json) -> bool:
    return bool(node.get("writeOnly"))


def _field_name(steps: PointerSteps) -> str:
    """A field as `--set` names it."""
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


def _count(node: Json, of: str) -> str:
    low = next((node[name] for name in ("minLength", "minItems", "minProperties") if name in node), None)
    high = next((node[name] for name in ("maxLength", "maxItems", "maxProperties") if name in node), None)
    if low is None and high is None:
        return ""
    if low is None:
        return f" of at most {high} {of}"
    return f" of {low} to {high} {of}" if high is not None else f" of {low} {of} or more"
