"""Every field of a recipe is refused in plain words: field, value, what is allowed, nearest name."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter

from models.spec import wording
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve
from tests.support.wording import followed, require_plain, require_told, wrong_for

SCHEMA = Recipe.model_json_schema()
RecipePath = tuple[str | int, ...]
RecipeObject = tuple[RecipePath, Mapping[str, Any], Mapping[str, Any]]
"""The path to an object in a recipe, the fields that give it its kind, and its schema."""


def arms(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schema of each object that a value may be."""
    node = followed(schema, SCHEMA)
    for arm in (*node.get("oneOf", ()), *node.get("anyOf", ())):
        yield from arms(arm)
    if "properties" in node:
        yield node


def objects(schema: Mapping[str, Any], path: RecipePath = ()) -> Iterator[RecipeObject]:
    """Yield every object of a recipe, once for each kind that it may have."""
    for arm in arms(schema):
        kind = arm["properties"].get("kind", {}).get("const")
        yield path, {} if kind is None else {"kind": kind}, arm
        for name, field in arm["properties"].items():
            if name != "data":  # it is overridden before the family's preset, and has a separate test
                yield from objects(field, (*path, name))
            if "items" in field:
                yield from objects(field["items"], (*path, name, 0))


OBJECTS = list(objects(SCHEMA))
NAMES = ["/".join(map(str, [*path, *kind_fields.values()])) or "recipe" for path, kind_fields, _ in OBJECTS]


def refusals(path: RecipePath, kind_fields: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, str]:
    """Return messages by pointer for a recipe whose object at this path is changed."""
    value: Any = {**kind_fields, **change}
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    with pytest.raises(RecipeRefused) as refused:
        resolve("dcgan", overrides=value)
    return {refusal.pointer: refusal.message for refusal in refused.value.refusals}


def test_walk_reaches_every_object_of_a_recipe() -> None:
    assert len(OBJECTS) > 50
    assert {"recipe", "generator/unet", "critic/patch", "penalties/0/r1", "watch"} <= set(NAMES)


@pytest.mark.parametrize("recipe_object", OBJECTS, ids=NAMES)
def test_wrong_values_are_refused_by_field_value_and_what_is_allowed(recipe_object: RecipeObject) -> None:
    path, kind_fields, schema = recipe_object
    tried = 0
    for name, field in schema["properties"].items():
        if name in ("kind", "version", "data"):
            continue
        for value in wrong_for(followed(field, SCHEMA), SCHEMA):
            if path == ("budget",) and value is None:  # a unit that is null counts as missing
                continue
            messages = refusals(path, kind_fields, {name: value})
            pointer = "/overrides" + wording.pointer((*path, name))
            refused_at = next(
                (refused for refused in messages if refused == pointer or refused.startswith(f"{pointer}/")), None
            )
            assert refused_at, (name, value, messages)
            for message in messages.values():
                require_plain(message)
            if refused_at == pointer:
                require_told(messages[refused_at], ".".join(map(str, (*path, name))), value)
            tried += 1
    assert tried or set(schema["properties"]) <= {"kind", "dataset"}


@pytest.mark.parametrize("recipe_object", OBJECTS, ids=NAMES)
def test_an_unknown_field_is_refused_with_the_nearest_name(recipe_object: RecipeObject) -> None:
    path, kind_fields, schema = recipe_object
    for name in schema["properties"]:
        wrong = f"{name}_"
        message = refusals(path, kind_fields, {wrong: 5})["/overrides" + wording.pointer((*path, wrong))]
        require_told(message, ".".join(map(str, (*path, wrong))), 5)
        assert f"did you mean '{name}'?" in message
        assert all(known in message for known in schema["properties"])


def test_an_unknown_kind_is_refused_with_the_nearest_name() -> None:
    for name in ("generator", "critic", "objective", "schedule", "generator_optimizer", "game"):
        kinds = [arm["properties"]["kind"]["const"] for arm in arms(SCHEMA["properties"][name])]
        for kind in kinds:
            message = refusals((), {}, {name: {"kind": f"{kind}x"}})[f"/overrides/{name}"]
            require_told(message, f"{name}.kind", f"{kind}x")
            assert f"did you mean '{kind}'?" in message
            assert all(known in message for known in kinds)


@pytest.mark.parametrize("change", [{"side": 7}, {"side": "x"}, {"channels": 9}, {"sied": 8}, {"kind": "image"}, 3])
def test_invalid_data_is_refused_in_plain_words(change: Any) -> None:
    with pytest.raises(RecipeRefused) as refused:
        resolve("dcgan", overrides={"data": change})
    for refusal in refused.value.refusals:
        assert "Input should" not in refusal.message
        assert refusal.pointer.startswith("/overrides/data")


@pytest.mark.parametrize("budget", [{"epochs": 0}, {"minutes": "x"}, {"steps": 0}, {"step": 3}, {"steps": 1.5}])
def test_invalid_budget_is_refused_in_plain_words(budget: dict[str, Any]) -> None:
    with pytest.raises(RecipeRefused) as refused:
        resolve("dcgan", budget=budget)
    (name, value), (refusal, *_) = next(iter(budget.items())), refused.value.refusals
    assert refusal.pointer == f"/budget/{name}"
    require_told(refusal.message, name, value)


def test_unknown_family_or_dataset_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RecipeRefused, match="Did you mean 'cyclegan'"):
        resolve("cycelgan")
    with pytest.raises(RecipeRefused, match="Did you mean 'digits'"):
        resolve("gan", dataset="diggits")
    with pytest.raises(RecipeRefused) as refused:
        resolve("qqqqqq")
    assert "Did you mean" not in str(refused.value)


def test_dials_have_the_same_range_as_their_fields() -> None:
    """Values in the range of a dial are accepted, and none beyond it."""
    for family in FAMILIES.values():
        for dial in family.dials:
            *path, name = dial.path.strip("/").split("/")
            beyond = dial.minimum if dial.exclusive_minimum else dial.minimum - 1
            for value, valid in (
                (dial.maximum, True),
                (dial.maximum * 2 + 1, False),
                (beyond, False),
                (dial.default, True),
                (dial.minimum + (1e-9 if dial.exclusive_minimum else 0), True),
            ):
                change: Any = {name: value}
                for step in reversed(path):
                    change = {step: change}
                assert _field_is_valid(family.name, change, dial.path) == valid, (family.name, dial, value)


def _field_is_valid(family: str, change: Mapping[str, Any], path: str) -> bool:
    """Return whether the field itself is not refused: other parts may not fit its value."""
    try:
        resolve(family, overrides=change)
    except RecipeRefused as error:
        return not any(
            refusal.pointer == f"/overrides{path}" and f"'{path.strip('/').replace('/', '.')}' is " in refusal.message
            for refusal in error.refusals
        )
    return True


def test_types_are_described_in_words() -> None:
    descriptions: dict[Any, str] = {
        int: "a whole number",
        float: "a finite number",
        bool: "true or false",
        list[int]: "a list, each a whole number",
        dict[str, Any]: "an object",
        int | None: "a whole number, or null",
    }
    for kind, description in descriptions.items():
        assert wording.allowed(TypeAdapter(kind).json_schema()) == description
