"""Every field of every part of a recipe is refused in words of ours: field, value, what is allowed, nearest name."""

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
Way = tuple[str | int, ...]
Place = tuple[Way, Mapping[str, Any], Mapping[str, Any]]
"""The way to an object in a recipe, what must stand in it that it is of this kind, and its schema."""


def arms(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Each object that a value may be."""
    node = followed(schema, SCHEMA)
    for arm in (*node.get("oneOf", ()), *node.get("anyOf", ())):
        yield from arms(arm)
    if "properties" in node:
        yield node


def objects(schema: Mapping[str, Any], way: Way = ()) -> Iterator[Place]:
    """Every object of a recipe, of each kind that it may have."""
    for arm in arms(schema):
        kind = arm["properties"].get("kind", {}).get("const")
        yield way, {} if kind is None else {"kind": kind}, arm
        for name, field in arm["properties"].items():
            if name != "data":  # its override comes before the family's preset, and has a test of its own
                yield from objects(field, (*way, name))
            if "items" in field:
                yield from objects(field["items"], (*way, name, 0))


PLACES = list(objects(SCHEMA))
NAMES = ["/".join(map(str, [*way, *own.values()])) or "recipe" for way, own, _ in PLACES]


def refusals(way: Way, own: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, str]:
    """Messages by pointers, where the object at the end of the way is changed so."""
    value: Any = {**own, **change}
    for step in reversed(way):
        value = [value] if isinstance(step, int) else {step: value}
    with pytest.raises(RecipeRefused) as refused:
        resolve("dcgan", overrides=value)
    return {refusal.pointer: refusal.message for refusal in refused.value.refusals}


def test_the_walk_reaches_every_part() -> None:
    assert len(PLACES) > 50
    assert {"recipe", "generator/unet", "critic/patch", "penalties/0/r1", "watch"} <= set(NAMES)


@pytest.mark.parametrize("place", PLACES, ids=NAMES)
def test_wrong_values_are_refused_by_field_value_and_what_is_allowed(place: Place) -> None:
    way, own, schema = place
    tried = 0
    for name, field in schema["properties"].items():
        if name in ("kind", "version", "data"):
            continue
        for value in wrong_for(followed(field, SCHEMA), SCHEMA):
            if way == ("budget",) and value is None:  # a unit that is null is one that is not given
                continue
            found = refusals(way, own, {name: value})
            pointer = "/overrides" + wording.pointer((*way, name))
            at = next((spot for spot in found if spot == pointer or spot.startswith(f"{pointer}/")), None)
            assert at, (name, value, found)
            for message in found.values():
                require_plain(message)
            if at == pointer:
                require_told(found[at], ".".join(map(str, (*way, name))), value)
            tried += 1
    assert tried or set(schema["properties"]) <= {"kind", "dataset"}


@pytest.mark.parametrize("place", PLACES, ids=NAMES)
def test_an_unknown_field_is_refused_with_the_nearest_name(place: Place) -> None:
    way, own, schema = place
    for name in schema["properties"]:
        wrong = f"{name}_"
        message = refusals(way, own, {wrong: 5})["/overrides" + wording.pointer((*way, wrong))]
        require_told(message, ".".join(map(str, (*way, wrong))), 5)
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
def test_the_data_part_is_worded_too(change: Any) -> None:
    with pytest.raises(RecipeRefused) as refused:
        resolve("dcgan", overrides={"data": change})
    for refusal in refused.value.refusals:
        assert "Input should" not in refusal.message
        assert refusal.pointer.startswith("/overrides/data")


@pytest.mark.parametrize("budget", [{"epochs": 0}, {"minutes": "x"}, {"steps": 0}, {"step": 3}, {"steps": 1.5}])
def test_a_budget_is_worded_in_each_unit(budget: dict[str, Any]) -> None:
    with pytest.raises(RecipeRefused) as refused:
        resolve("dcgan", budget=budget)
    (name, value), (refusal, *_) = next(iter(budget.items())), refused.value.refusals
    assert refusal.pointer == f"/budget/{name}"
    require_told(refusal.message, name, value)


def test_names_of_families_and_datasets_have_their_nearest() -> None:
    with pytest.raises(RecipeRefused, match="Did you mean 'cyclegan'"):
        resolve("cycelgan")
    with pytest.raises(RecipeRefused, match="Did you mean 'digits'"):
        resolve("gan", dataset="diggits")
    with pytest.raises(RecipeRefused) as refused:
        resolve("qqqqqq")
    assert "Did you mean" not in str(refused.value)


def test_dials_are_as_wide_as_the_fields_that_they_turn() -> None:
    """What a dial offers is taken, and nothing beyond it."""
    for family in FAMILIES.values():
        for dial in family.dials:
            *way, name = dial.path.strip("/").split("/")
            beyond = dial.minimum if dial.exclusive_minimum else dial.minimum - 1
            for value, good in (
                (dial.maximum, True),
                (dial.maximum * 2 + 1, False),
                (beyond, False),
                (dial.default, True),
                (dial.minimum + (1e-9 if dial.exclusive_minimum else 0), True),
            ):
                change: Any = {name: value}
                for step in reversed(way):
                    change = {step: change}
                assert _field_is_good(family.name, change, dial.path) == good, (family.name, dial, value)


def _field_is_good(family: str, change: Mapping[str, Any], path: str) -> bool:
    """Whether the field itself is not refused: other parts may not go together with its value."""
    try:
        resolve(family, overrides=change)
    except RecipeRefused as error:
        return not any(
            refusal.pointer == f"/overrides{path}" and f"'{path.strip('/').replace('/', '.')}' is " in refusal.message
            for refusal in error.refusals
        )
    return True


def test_types_are_told_in_words() -> None:
    told: dict[Any, str] = {
        int: "a whole number",
        float: "a finite number",
        bool: "true or false",
        list[int]: "a list, each a whole number",
        dict[str, Any]: "an object",
        int | None: "a whole number, or null",
    }
    for kind, words in told.items():
        assert wording.allowed(TypeAdapter(kind).json_schema()) == words
