"""Expand the request for an experiment into its cases, each a family or recipe with overrides. Pure."""

import functools
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import FieldError, Invalid
from app.core.limits import DEPTH, EXPERIMENT_JOBS
from forger.wire import NAME_LENGTH
from models.spec import wording
from models.spec.resolve import merge

Json = dict[str, Any]
CASE_LENGTH = 40
"""characters of a name that is made of a grid's values"""
WORD_LENGTH = 200
"""characters that are looked at of each value"""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of an experiment, before its seeds."""

    name: str
    recipe: str | Json
    settings: Json
    """of a grid: the values by their JSON pointers"""
    places: tuple[tuple[str, str], ...]
    """pointers into a job's body, and into the experiment's where the same is its own"""
    common: Json = field(default_factory=dict)
    """what stands in the overrides of all cases, and is refused there"""
    changes: tuple[Json, ...] = ()
    """what the case itself changes, or its grid's values, one after the other"""

    @property
    def overrides(self) -> Json | None:
        """Merged when asked for: what is common, or one value of a grid, may be long, and there may be many cases."""
        own: Json = functools.reduce(merge, self.changes, {})
        return _over(self.common, own) or None

    @property
    def has_budget(self) -> bool:
        """Of its own: it stands in place of the experiment's."""
        return next((change["budget"] for change in reversed(self.changes) if "budget" in change), None) is not None

    @property
    def has_seed(self) -> bool:
        return any("seed" in change for change in (self.common, *self.changes))

    def place(self, pointer: str) -> str:
        """Where the client wrote what a refusal of this case points at."""
        steps = pointer.split("/")[2:]
        if pointer.startswith("/overrides/") and _depth(self.common, steps) > max(
            (_depth(change, steps) for change in self.changes), default=0
        ):
            return pointer
        for here, there in self.places:
            if pointer == here or pointer.startswith(f"{here}/"):
                return there + pointer[len(here) :]
        return pointer


def cases_of(
    recipe: str | Json | None, overrides: Json | None, given: Sequence[Json] | None, grid: Mapping[str, Any] | None
) -> list[Case]:
    """Those listed, or those of the grid, or the recipe alone. Raises Invalid."""
    made = _cases(recipe, overrides, given, grid)
    for case in made:
        if case.has_seed:
            sentence = "Seeds are no setting of a case: name them in `seeds`, and every case is trained with each."
            raise refusal(case.place("/overrides/seed"), sentence)
    return made


def _cases(
    recipe: str | Json | None, overrides: Json | None, given: Sequence[Json] | None, grid: Mapping[str, Any] | None
) -> list[Case]:
    if given is not None and grid is not None:
        raise refusal("/grid", "An experiment has `cases` or a `grid`: choose one of them.")
    if given is not None:
        return _listed(recipe, overrides or {}, given)
    if recipe is None:
        raise refusal("/recipe", "Name the recipe: a family's name, or a whole recipe.")
    if grid is not None:
        return _crossed(recipe, overrides or {}, grid)
    return [Case(_called(recipe), recipe, {}, (), overrides or {})]


def seeds_of(asked: int | Sequence[int], cases: int) -> list[int]:
    """A number n stands for 1 to n. Raises Invalid where cases times seeds are too many jobs."""
    count = asked if isinstance(asked, int) else len(asked)
    if count * cases > EXPERIMENT_JOBS:
        sentence = (
            f"{cases} cases times {count} seeds are {cases * count} jobs, more than {EXPERIMENT_JOBS} "
            "(experiment_jobs). Ask for fewer seeds or cases."
        )
        raise refusal("/seeds", sentence, code="too_many_jobs")
    named = list(range(1, asked + 1)) if isinstance(asked, int) else list(asked)
    if twice := [number for number, seed in enumerate(named) if seed in named[:number]]:
        raise refusal(f"/seeds/{twice[0]}", f"The seed {named[twice[0]]} is there twice: name each once.")
    return named


def _listed(recipe: str | Json | None, common: Json, given: Sequence[Json]) -> list[Case]:
    made = []
    names: set[str] = set()
    for number, case in enumerate(given):
        at = f"/cases/{number}"
        own = case.get("recipe") or recipe
        if own is None:
            raise refusal(f"{at}/recipe", "Name the recipe of the case, or one for all cases in `recipe`.")
        name = case.get("name") or _called(own)
        if name in names:
            raise refusal(f"{at}/name", f"Two cases are called '{name}': give each a name of its own.")
        names.add(name)
        places = [("/overrides", f"{at}/overrides")]
        if case.get("recipe") is not None:
            places.append(("/recipe", f"{at}/recipe"))
        change = case.get("overrides") or {}
        made.append(Case(name, own, {}, tuple(places), common, (change,)))
    return made


def _crossed(recipe: str | Json, common: Json, grid: Mapping[str, Any]) -> list[Case]:
    for pointer in grid:
        if not pointer.startswith("/"):
            sentence = "A grid's names are JSON pointers into the recipe, for example /batch_size or /objective/kind."
            raise refusal(wording.pointer(("grid", pointer)), sentence)
        if pointer.count("/") > DEPTH:
            sentence = f"A grid's pointer has at most {DEPTH} steps (depth): no recipe is deeper."
            raise refusal(wording.pointer(("grid", pointer)), sentence)
    if (count := math.prod(len(values) for values in grid.values())) > EXPERIMENT_JOBS:
        sentence = f"The grid has {count} cases, more than {EXPERIMENT_JOBS} (experiment_jobs). Leave some values out."
        raise refusal("/grid", sentence, code="too_many_jobs")
    words = [[_word(_last(pointer), value)[:WORD_LENGTH] for value in values] for pointer, values in grid.items()]
    made: list[Case] = []
    for picks in itertools.product(*(range(len(values)) for values in grid.values())):
        chosen = {pointer: values[pick] for (pointer, values), pick in zip(grid.items(), picks, strict=True)}
        changes = tuple(at_pointer(pointer, value) for pointer, value in chosen.items())
        places = tuple(
            (f"/overrides{pointer}", wording.pointer(("grid", pointer, pick)))
            for pointer, pick in zip(grid, picks, strict=True)
        )
        spelled = _spelled([own[pick] for own, pick in zip(words, picks, strict=True)])
        name = _unused(spelled, {case.name for case in made})
        made.append(Case(name, recipe, chosen, places, common, changes))
    return made


def _over(common: Json, own: Json) -> Json:
    """A budget is given in one unit: a case's own stands in place of the common one, not beside it."""
    if "budget" in own:
        common = {name: value for name, value in common.items() if name != "budget"}
    return merge(common, own)


def _depth(value: Any, steps: Sequence[str]) -> int:
    """How many of the steps lead somewhere."""
    for number, step in enumerate(steps):
        if not isinstance(value, Mapping) or step not in value:
            return number
        value = value[step]
    return len(steps)


def at_pointer(pointer: str, value: Any) -> Json:
    """The objects around a value: `/a/b` and 1 are {"a": {"b": 1}}."""
    for step in reversed(wording.steps_of(pointer)):
        value = {step: value}
    made: Json = value
    return made


def model_name(stem: str, case: str) -> str:
    """What the jobs of a case publish. Raises Invalid where it is too long."""
    name = f"{stem}-{case}"
    if len(name) > NAME_LENGTH:
        sentence = f"'{name}' would be a model's name and has more than {NAME_LENGTH} characters (name): shorten it."
        raise refusal("/name", sentence)
    return name


def _called(recipe: str | Json) -> str:
    return recipe if isinstance(recipe, str) else "custom"


def _last(pointer: str) -> str:
    return pointer.rpartition("/")[2]


def _spelled(words: Sequence[str]) -> str:
    """A case's name: what its values are, as far as a model may be called so."""
    return re.sub(r"[^a-z0-9._]+", "-", "-".join(words).lower()).strip("-._")[:CASE_LENGTH].rstrip("-") or "case"


def _word(name: str, value: Any) -> str:
    match value:
        case {"kind": str(kind)}:
            return kind
        case str():
            return value
        case [{"kind": _}, *_]:
            return "-".join(_word(name, item) for item in value)
        case list():
            return "-".join([name, *(map(str, value) if value else ["none"])])
        case dict():
            return f"{name}-{json.dumps(value)}"
        case None:
            return f"{name}-none"
        case _:
            return f"{name}-{value}"


def _unused(name: str, taken: set[str]) -> str:
    return next(f"{name}{tail}" for tail in itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
                if f"{name}{tail}" not in taken)  # fmt: skip


def refusal(pointer: str, sentence: str, code: str | None = None) -> Invalid:
    return Invalid(sentence, code=code, errors=(FieldError(pointer, sentence),))
