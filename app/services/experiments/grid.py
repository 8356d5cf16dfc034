"""Expand the request for an experiment into its cases by pure functions."""

import functools
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import FieldError, Invalid
from app.core.limits import MAX_EXPERIMENT_JOBS, MAX_JSON_DEPTH
from forger.wire import MAX_NAME_CHARACTERS
from models.spec import wording
from models.spec.resolve import merge

Json = dict[str, Any]
MAX_CASE_NAME_LENGTH = 40
"""maximum length of a name that is built from a grid's values"""
MAX_VALUE_LENGTH = 200
"""characters of each value that go into the name"""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of an experiment: a family or recipe with overrides, trained with every seed."""

    name: str
    recipe: str | Json
    settings: Json
    """a grid's values by their JSON pointers"""
    pointers: tuple[tuple[str, str], ...]
    """JSON pointers into the body of a job, each with the pointer of the same value into the experiment's body"""
    common: Json = field(default_factory=dict)
    """overrides of all cases"""
    changes: tuple[Json, ...] = ()
    """overrides of the case itself, or of each value of its grid"""

    @property
    def overrides(self) -> Json | None:
        """All overrides, merged at each access: they may be long, and there may be many cases."""
        changes: Json = functools.reduce(merge, self.changes, {})
        return _merge_overrides(self.common, changes) or None

    @property
    def has_budget(self) -> bool:
        """Whether the case has a budget, which replaces the experiment's."""
        return next((change["budget"] for change in reversed(self.changes) if "budget" in change), None) is not None

    @property
    def has_seed(self) -> bool:
        return any("seed" in change for change in (self.common, *self.changes))

    def client_pointer(self, pointer: str) -> str:
        """Return the pointer into the experiment's body for a pointer into the body of the case's job."""
        steps = pointer.split("/")[2:]
        if pointer.startswith("/overrides/") and _steps_present(self.common, steps) > max(
            (_steps_present(change, steps) for change in self.changes), default=0
        ):
            return pointer
        for of_job, of_experiment in self.pointers:
            if pointer == of_job or pointer.startswith(f"{of_job}/"):
                return of_experiment + pointer[len(of_job) :]
        return pointer


def cases_of(
    recipe: str | Json | None, overrides: Json | None, listed: Sequence[Json] | None, grid: Mapping[str, Any] | None
) -> list[Case]:
    """Return the cases: the listed ones, those of the grid, or one of the recipe alone. Raises Invalid."""
    cases = _expand(recipe, overrides, listed, grid)
    for case in cases:
        if case.has_seed:
            sentence = "A case cannot set its seed: list the seeds in `seeds`; every case is trained with each of them."
            raise refusal(case.client_pointer("/overrides/seed"), sentence)
    return cases


def _expand(
    recipe: str | Json | None, overrides: Json | None, listed: Sequence[Json] | None, grid: Mapping[str, Any] | None
) -> list[Case]:
    if listed is not None and grid is not None:
        raise refusal("/grid", "An experiment has `cases` or a `grid`: choose one of them.")
    if listed is not None:
        return _listed_cases(recipe, overrides or {}, listed)
    if recipe is None:
        raise refusal("/recipe", "Name the recipe: a family's name, or a whole recipe.")
    if grid is not None:
        return _grid_cases(recipe, overrides or {}, grid)
    return [Case(_default_name(recipe), recipe, {}, (), overrides or {})]


def seeds_of(seeds: int | Sequence[int], cases: int) -> list[int]:
    """Return the seeds; a number n stands for 1 to n. Raises Invalid if cases times seeds are too many jobs."""
    count = seeds if isinstance(seeds, int) else len(seeds)
    if count * cases > MAX_EXPERIMENT_JOBS:
        sentence = (
            f"{cases} cases times {count} seeds are {cases * count} jobs, more than {MAX_EXPERIMENT_JOBS} "
            "(experiment_jobs). Ask for fewer seeds or cases."
        )
        raise refusal("/seeds", sentence, code="too_many_jobs")
    listed = list(range(1, seeds + 1)) if isinstance(seeds, int) else list(seeds)
    if repeats := [number for number, seed in enumerate(listed) if seed in listed[:number]]:
        raise refusal(f"/seeds/{repeats[0]}", f"The seed {listed[repeats[0]]} is listed twice: list each once.")
    return listed


def _listed_cases(recipe: str | Json | None, common: Json, listed: Sequence[Json]) -> list[Case]:
    cases = []
    names: set[str] = set()
    for number, case in enumerate(listed):
        at = f"/cases/{number}"
        case_recipe = case.get("recipe") or recipe
        if case_recipe is None:
            raise refusal(f"{at}/recipe", "Name the recipe of the case, or one for all cases in `recipe`.")
        name = case.get("name") or _default_name(case_recipe)
        if name in names:
            raise refusal(f"{at}/name", f"Two cases are called '{name}': give them different names.")
        names.add(name)
        pointers = [("/overrides", f"{at}/overrides")]
        if case.get("recipe") is not None:
            pointers.append(("/recipe", f"{at}/recipe"))
        change = case.get("overrides") or {}
        cases.append(Case(name, case_recipe, {}, tuple(pointers), common, (change,)))
    return cases


def _grid_cases(recipe: str | Json, common: Json, grid: Mapping[str, Any]) -> list[Case]:
    for pointer in grid:
        if not pointer.startswith("/"):
            sentence = "A grid's names are JSON pointers into the recipe, for example /batch_size or /objective/kind."
            raise refusal(wording.pointer(("grid", pointer)), sentence)
        if pointer.count("/") > MAX_JSON_DEPTH:
            sentence = f"A grid's pointer has at most {MAX_JSON_DEPTH} steps (depth): no recipe is deeper."
            raise refusal(wording.pointer(("grid", pointer)), sentence)
    if (count := math.prod(len(values) for values in grid.values())) > MAX_EXPERIMENT_JOBS:
        sentence = (
            f"The grid has {count} cases, more than {MAX_EXPERIMENT_JOBS} (experiment_jobs). Leave some values out."
        )
        raise refusal("/grid", sentence, code="too_many_jobs")
    value_names = [
        [_value_name(_last_step(pointer), value)[:MAX_VALUE_LENGTH] for value in values]
        for pointer, values in grid.items()
    ]
    cases: list[Case] = []
    for picks in itertools.product(*(range(len(values)) for values in grid.values())):
        chosen = {pointer: values[pick] for (pointer, values), pick in zip(grid.items(), picks, strict=True)}
        changes = tuple(at_pointer(pointer, value) for pointer, value in chosen.items())
        pointers = tuple(
            (f"/overrides{pointer}", wording.pointer(("grid", pointer, pick)))
            for pointer, pick in zip(grid, picks, strict=True)
        )
        name = _case_name([names[pick] for names, pick in zip(value_names, picks, strict=True)])
        name = _unused_name(name, {case.name for case in cases})
        cases.append(Case(name, recipe, chosen, pointers, common, changes))
    return cases


def _merge_overrides(common: Json, changes: Json) -> Json:
    """Merge changes over the common overrides; a budget replaces the common one, which may be in another unit."""
    if "budget" in changes:
        common = {name: value for name, value in common.items() if name != "budget"}
    return merge(common, changes)


def _steps_present(value: Any, steps: Sequence[str]) -> int:
    """Return how many of the pointer's steps exist in the value."""
    for number, step in enumerate(steps):
        if not isinstance(value, Mapping) or step not in value:
            return number
        value = value[step]
    return len(steps)


def at_pointer(pointer: str, value: Any) -> Json:
    """Return the nested objects with a value at a pointer: `/a/b` and 1 give {"a": {"b": 1}}."""
    for step in reversed(wording.steps_of(pointer)):
        value = {step: value}
    nested: Json = value
    return nested


def model_name(stem: str, case: str) -> str:
    """Return the name of the model that the jobs of a case publish. Raises Invalid if it is too long."""
    name = f"{stem}-{case}"
    if len(name) > MAX_NAME_CHARACTERS:
        sentence = (
            f"'{name}' would be a model's name, and it has more than {MAX_NAME_CHARACTERS} characters (name): "
            "shorten it."
        )
        raise refusal("/name", sentence)
    return name


def _default_name(recipe: str | Json) -> str:
    return recipe if isinstance(recipe, str) else "custom"


def _last_step(pointer: str) -> str:
    return pointer.rpartition("/")[2]


def _case_name(words: Sequence[str]) -> str:
    """Join the names of a case's values to its name, with the characters that a model's name may have."""
    return (
        re.sub(r"[^a-z0-9._]+", "-", "-".join(words).lower()).strip("-._")[:MAX_CASE_NAME_LENGTH].rstrip("-") or "case"
    )


def _value_name(name: str, value: Any) -> str:
    match value:
        case {"kind": str(kind)}:
            return kind
        case str():
            return value
        case [{"kind": _}, *_]:
            return "-".join(_value_name(name, item) for item in value)
        case list():
            return "-".join([name, *(map(str, value) if value else ["none"])])
        case dict():
            return f"{name}-{json.dumps(value)}"
        case None:
            return f"{name}-none"
        case _:
            return f"{name}-{value}"


def _unused_name(name: str, used: set[str]) -> str:
    return next(f"{name}{tail}" for tail in itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
                if f"{name}{tail}" not in used)  # fmt: skip


def refusal(pointer: str, sentence: str, code: str | None = None) -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError(pointer, sentence),))
