"""Resolve what a client sends into a whole recipe, or into sentences that say what to change."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from models.spec import plugins, wording
from models.spec.data import DataSpec, Images, Points, Sequences
from models.spec.datasets import DATASETS, DataKind, DatasetInfo
from models.spec.families import FAMILIES, Family
from models.spec.recipe import Recipe
from models.spec.training import MAX_STEPS, Budget
from models.spec.upgrade import is_older, upgrade
from models.spec.watch import Watch, default_watch
from models.spec.wording import Refusal, unknown

Json = dict[str, Any]
Datasets = Mapping[str, DatasetInfo]
_DATA: TypeAdapter[DataSpec] = TypeAdapter(DataSpec)
_RECIPE = TypeAdapter(Recipe)
WATCH_DEFAULT_PARTS = ("game", "data", "generator", "critic")
"""parts whose kinds decide how a training is watched"""
_EPOCHS = TypeAdapter(Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)])


class RecipeRefused(ValueError):
    """The recipe cannot be made whole. `refusals` holds every reason."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__(" ".join(refusal.message for refusal in refusals))
        self.refusals = refusals


def resolve(
    recipe: str | Mapping[str, Any],
    *,
    dataset: str | None = None,
    seed: int | None = None,
    budget: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    datasets: Datasets = DATASETS,
) -> tuple[str | None, Recipe]:
    """The family's name (None for a recipe sent whole) and the whole recipe, on one of `datasets`.

    `dataset`, `seed` and `budget` are shorthands: they win over the recipe, and lose to nothing.
    Raises RecipeRefused.
    """
    if isinstance(recipe, str):
        family = _family(recipe)
        known = _data_part(dataset or family.default_dataset, datasets, family.kinds)
        fields = _preset(family, known, overrides or {})
        pointer = "/overrides"
    elif overrides:
        raise RecipeRefused(
            Refusal("/overrides", "Overrides go with a family's name; a recipe sent whole is changed itself.")
        )
    else:
        family, fields, pointer = None, upgrade(recipe) if is_older(recipe) else dict(recipe), "/recipe"
        if dataset is not None:
            fields["data"] = _info(dataset, datasets).spec().model_dump(mode="json")
    if seed is not None or (family and "seed" not in fields):
        fields["seed"] = seed or 0
    if budget is not None:
        fields["budget"] = dict(budget)
    made = _complete(fields, pointer, _shorthand_pointers(dataset, seed, budget), datasets)
    name = family.name if family else None
    made, refusals = plugins.complete_parts(made, name)
    if refusals:
        raise RecipeRefused(*(Refusal(pointer + refusal.pointer, refusal.message) for refusal in refusals))
    return name, made


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    """A recipe whose budget was in minutes, in steps from here on; cadences that were left to us follow them."""
    unsettled, own = _cadences(recipe.budget.steps), _cadences(steps)
    following = {name: own[name] for name in own if getattr(recipe, name) == unsettled[name]}
    whole = recipe.model_copy(update={"budget": Budget(steps=steps), **following})
    return whole.model_copy(update={"watch": _watch_with_steps(recipe, whole)})


def _watch_with_steps(unsettled: Recipe, whole: Recipe) -> Watch | None:
    """What was left to us follows the steps; a cadence that was not becomes a multiple of checkpoint_every."""
    watch, before, now = unsettled.watch, _default_watch(unsettled), _default_watch(whole)
    if watch is None or before is None or now is None:
        return watch
    following = {name: now[name] for name in now if getattr(watch, name) == before[name]}
    watch = watch.model_copy(update=following)
    saves = -(-watch.every // whole.checkpoint_every)
    return watch.model_copy(update={"every": saves * whole.checkpoint_every})


def _default_watch(recipe: Recipe) -> Json | None:
    return default_watch(
        recipe.game.kind,
        recipe.data.kind,
        recipe.generator.kind,
        recipe.critic.kind if recipe.critic else "none",
        batch_size=recipe.batch_size,
        checkpoint_every=recipe.checkpoint_every,
    )


def merge(base: Json, change: Mapping[str, Any]) -> Json:
    """RFC 7396, except that a changed `kind` replaces its object; lists are replaced whole."""
    if "kind" in change and change["kind"] != base.get("kind"):
        return dict(change)
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = merge(old if isinstance(old, dict) else {}, value) if isinstance(value, dict) else value
    return merged


def _family(name: str) -> Family:
    if name not in FAMILIES:
        sentence = unknown(name, FAMILIES, f"No family is called '{name[:80]}'")
        raise RecipeRefused(Refusal("/recipe", sentence))
    return FAMILIES[name]


def _data_part(dataset: str, datasets: Datasets, preferred: Sequence[DataKind]) -> Json:
    """A family's data part, as the first of the preferred kinds that it can be had as, else as its own."""
    info = _info(dataset, datasets)
    kind = next((kind for kind in preferred if kind in info.kinds), info.kind)
    return info.default_spec(kind).model_dump(mode="json")


def _info(dataset: str, datasets: Datasets) -> DatasetInfo:
    if dataset not in datasets:
        raise RecipeRefused(_unknown("/dataset", dataset, datasets))
    return datasets[dataset]


def _unknown(pointer: str, dataset: str, datasets: Datasets) -> Refusal:
    return Refusal(pointer, unknown(dataset, datasets, f"No dataset is called '{dataset[:80]}'"))


def _data_mismatch(data: DataSpec, datasets: Datasets, pointer: str) -> Refusal | None:
    """Where the data part says of its dataset what is not so."""
    if data.dataset not in datasets:
        return _unknown(f"{pointer}/dataset", data.dataset, datasets)
    info = datasets[data.dataset]
    if data.kind not in info.kinds:
        return Refusal(f"{pointer}/kind", f"'{info.name}' is of kind {' or '.join(info.kinds)}, not {data.kind}.")
    if isinstance(data, Images) and data.classes not in (0, info.classes):
        whole = f"{info.classes}, or 0 to leave them out" if info.classes else "0"
        return Refusal(f"{pointer}/classes", f"'{info.name}' has {info.classes} classes: set data.classes to {whole}.")
    if isinstance(data, Points) and data.dimension != info.dimension:
        return Refusal(f"{pointer}/dimension", f"Points of '{info.name}' have {info.dimension} numbers.")
    if isinstance(data, Sequences) and (data.length, data.symbols) != (info.length, len(info.alphabet)):
        sentence = f"'{info.name}' has strings of {info.length} out of {len(info.alphabet)} symbols."
        return Refusal(pointer, sentence)
    if not isinstance(data, Points | Sequences) and data.channels not in (1, 3):
        return Refusal(f"{pointer}/channels", f"Pictures have 1 channel (grey) or 3 (colour), not {data.channels}.")
    return None


def _preset(family: Family, known: Json, overrides: Mapping[str, Any]) -> Json:
    """The family's fields for these data, overridden. The data come first: sizes follow from them."""
    data_change = overrides.get("data", {})
    if not isinstance(data_change, Mapping):
        raise RecipeRefused(Refusal("/overrides/data", 'The data override is an object, for example {"side": 32}.'))
    if data_change.get("dataset", known["dataset"]) != known["dataset"]:
        raise RecipeRefused(Refusal("/overrides/data/dataset", "Name the dataset in `dataset`, not in an override."))
    data = merge(known, data_change)
    try:
        shape = _DATA.validate_python(data)
    except ValidationError as error:
        raise RecipeRefused(*_refusals(error, _DATA, "/overrides", {}, inside=("data",))) from None
    fields = {name: _plain(value) for name, value in family.preset(shape).items()}
    if "budget" in overrides:  # it is given in one unit: that of the preset must not stand beside it
        del fields["budget"]
    return merge(fields, {**overrides, "data": data})


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _complete(fields: Json, pointer: str, shorthands: Mapping[str, str], datasets: Datasets) -> Recipe:
    budget, epochs = _single_unit(fields.get("budget"), shorthands.get("budget", f"{pointer}/budget"))
    if budget is not None:
        fields = {**fields, "budget": budget}
    made = _validated(fields, pointer, shorthands)
    if refusal := _data_mismatch(made.data, datasets, f"{pointer}/data"):
        raise RecipeRefused(refusal)
    if epochs is None:
        return made
    steps = _steps_of_epochs(epochs, datasets[made.data.dataset], made)
    return _validated({**fields, "budget": {"steps": steps}}, pointer, shorthands)


def _single_unit(budget: Any, at: str) -> tuple[Any, float | None]:
    """The budget in a recipe's words, and epochs, where it is in those: their steps follow from the whole recipe.

    Minutes stand beside the most steps there can be, until they are measured.
    """
    if not isinstance(budget, Mapping):
        return budget, None
    given = {unit: value for unit, value in budget.items() if value is not None}
    if "minutes" in given and given.get("steps") == MAX_STEPS:  # as a job answers it that was not measured yet
        del given["steps"]
    if len(units := [unit for unit in ("steps", "epochs", "minutes") if unit in given]) > 1:
        raise RecipeRefused(Refusal(at, f"The budget is given in {' and in '.join(units)}: choose one of them."))
    if "minutes" in given:
        return {"steps": MAX_STEPS, **given}, None
    if (epochs := given.pop("epochs", None)) is None:
        return given, None
    try:
        return {**given, "steps": 1}, _EPOCHS.validate_python(epochs)
    except ValidationError as error:
        raise RecipeRefused(*_refusals(error, _EPOCHS, at, {}, inside=("epochs",))) from None


def _steps_of_epochs(epochs: float, info: DatasetInfo, recipe: Recipe) -> int:
    """Moves of the generator in which the critics see every example that often, of two piles on average."""
    piles = 2 if info.kind == "unpaired" else 1  # its size is that of both piles, and that of pairs their number
    return max(1, math.ceil(epochs * info.size / (piles * recipe.batch_size * recipe.turns.critic_steps)))


def _cadences(steps: int) -> dict[str, int]:
    """How often a job saves and reports that does not say so itself."""
    return {"checkpoint_every": -(-steps // 20), "report_every": -(-steps // 40)}


def _with_watch(fields: Json) -> Json:
    """The fields with a watch, of which what was left out is ours. What else is wrong in them is refused elsewhere."""
    given = fields.get("watch", {})
    kinds = [
        str(part.get("kind") if isinstance(part := fields.get(name), Mapping) else None) for name in WATCH_DEFAULT_PARTS
    ]
    batch, every = fields.get("batch_size"), fields.get("checkpoint_every")
    if not isinstance(batch, int) or not isinstance(every, int) or min(batch, every) < 1:
        return fields
    if not isinstance(given, Mapping):
        return fields
    own = default_watch(*kinds, batch_size=batch, checkpoint_every=every)
    return fields if own is None else fields | {"watch": own | dict(given)}


def _validated(fields: Json, pointer: str, shorthands: Mapping[str, str]) -> Recipe:
    try:
        steps = Budget.model_validate(fields.get("budget")).steps
    except ValidationError:
        steps = 1  # the budget is refused below, in its own words
    try:
        return Recipe.model_validate(_with_watch(_cadences(steps) | fields))
    except ValidationError as error:
        raise RecipeRefused(*_refusals(error, _RECIPE, pointer, shorthands)) from None


def _shorthand_pointers(dataset: str | None, seed: int | None, budget: Mapping[str, Any] | None) -> dict[str, str]:
    """Which parts of the recipe came from a shorthand, so that a refusal points where the client wrote."""
    given = {"data": dataset, "seed": seed, "budget": budget}
    return {part: f"/{'dataset' if part == 'data' else part}" for part, value in given.items() if value is not None}


def _refusals(
    error: ValidationError,
    of: TypeAdapter[Any],
    prefix: str,
    shorthands: Mapping[str, str],
    inside: tuple[str, ...] = (),
) -> list[Refusal]:
    found = wording.refusals(error.errors(include_url=False), wording.schema_of(of), inside)
    return [Refusal(_client_pointer(refusal.pointer, prefix, shorthands), refusal.message) for refusal in found]


def _client_pointer(pointer: str, prefix: str, shorthands: Mapping[str, str]) -> str:
    """Where the client wrote the part of a recipe that a pointer names."""
    part = pointer.split("/")[1] if pointer else ""
    if part in shorthands and part != "data":
        return shorthands[part] + pointer[len(part) + 1 :]
    return prefix + pointer
