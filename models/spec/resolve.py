"""Resolve a client's request into a complete recipe, or into sentences that say what to change."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from models.spec import plugins, wording
from models.spec.data import DataSpec, Images, Paired, Points, Sequences
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
"""parts whose kinds decide the defaults of the watch"""
_EPOCHS = TypeAdapter(Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)])


class RecipeRefused(ValueError):
    """The error of a recipe that cannot be completed. `refusals` holds every reason."""

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
    """Return the family's name (None for a complete recipe) and the complete recipe, on one of `datasets`.

    `dataset`, `seed` and `budget` are shorthands that override the recipe and `overrides`.
    Raises RecipeRefused.
    """
    if isinstance(recipe, str):
        family = _family(recipe)
        data = _data_part(dataset or family.default_dataset, datasets, family.kinds)
        fields = _preset(family, data, overrides or {})
        pointer = "/overrides"
    elif overrides:
        raise RecipeRefused(
            Refusal("/overrides", "Overrides need a family's name; change the fields of a complete recipe instead.")
        )
    else:
        family, fields, pointer = None, upgrade(recipe) if is_older(recipe) else dict(recipe), "/recipe"
        if dataset is not None:
            fields["data"] = _info(dataset, datasets).spec().model_dump(mode="json")
    if seed is not None or (family and "seed" not in fields):
        fields["seed"] = seed or 0
    if budget is not None:
        fields["budget"] = dict(budget)
    resolved = _complete(fields, pointer, _shorthand_pointers(dataset, seed, budget), datasets)
    name = family.name if family else None
    resolved, refusals = plugins.complete_parts(resolved, name)
    if refusals:
        raise RecipeRefused(*(Refusal(pointer + refusal.pointer, refusal.message) for refusal in refusals))
    return name, resolved


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    """Replace a budget in minutes by steps. Intervals at their defaults follow the new steps."""
    old, new = _default_intervals(recipe.budget.steps), _default_intervals(steps)
    following = {name: new[name] for name in new if getattr(recipe, name) == old[name]}
    changed = recipe.model_copy(update={"budget": Budget(steps=steps), **following})
    return changed.model_copy(update={"watch": _watch_with_steps(recipe, changed)})


def _watch_with_steps(recipe: Recipe, changed: Recipe) -> Watch | None:
    """Return the watch of `recipe` for the changed steps.

    Fields at their defaults follow the steps; `every` is rounded up to a multiple of checkpoint_every.
    """
    watch, old, new = recipe.watch, _default_watch(recipe), _default_watch(changed)
    if watch is None or old is None or new is None:
        return watch
    following = {name: new[name] for name in new if getattr(watch, name) == old[name]}
    watch = watch.model_copy(update=following)
    checkpoints = -(-watch.every // changed.checkpoint_every)
    return watch.model_copy(update={"every": checkpoints * changed.checkpoint_every})


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
    """Merge as in RFC 7396 (lists are replaced whole); exception: a changed `kind` replaces its whole object."""
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
    """Return the data part for a dataset: of the first preferred kind that it provides, else of its own kind."""
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
    """Return a refusal if the data part contradicts its dataset, else None."""
    if data.dataset not in datasets:
        return _unknown(f"{pointer}/dataset", data.dataset, datasets)
    info = datasets[data.dataset]
    if data.kind not in info.kinds:
        return Refusal(f"{pointer}/kind", f"'{info.name}' is of kind {' or '.join(info.kinds)}, not {data.kind}.")
    if isinstance(data, Images) and data.classes not in (0, info.classes):
        choice = f"{info.classes}, or 0 to leave them out" if info.classes else "0"
        return Refusal(f"{pointer}/classes", f"'{info.name}' has {info.classes} classes: set data.classes to {choice}.")
    if isinstance(data, Points) and data.dimension != info.dimension:
        return Refusal(f"{pointer}/dimension", f"Points of '{info.name}' have {info.dimension} numbers.")
    if isinstance(data, Sequences) and (data.length, data.symbols) != (info.length, len(info.alphabet)):
        sentence = f"'{info.name}' has strings of {info.length} out of {len(info.alphabet)} symbols."
        return Refusal(pointer, sentence)
    if isinstance(data, Paired) and data.input_channels is not None:
        sentence = "Only imported models have it: both pictures of a pair are trained with data.channels. Leave it out."
        return Refusal(f"{pointer}/input_channels", sentence)
    if not isinstance(data, Points | Sequences) and data.channels not in (1, 3):
        return Refusal(f"{pointer}/channels", f"Pictures have 1 channel (grey) or 3 (colour), not {data.channels}.")
    if not isinstance(data, Points | Sequences) and data.bits != info.bits:
        sentence = f"Samples of '{info.name}' have {info.bits} bits, not {data.bits}; leave data.bits out."
        return Refusal(f"{pointer}/bits", sentence)
    return None


def _preset(family: Family, dataset_data: Json, overrides: Mapping[str, Any]) -> Json:
    """Return the family's fields with overrides. The data part is merged first: sizes follow from it."""
    data_change = overrides.get("data", {})
    if not isinstance(data_change, Mapping):
        raise RecipeRefused(Refusal("/overrides/data", 'The data override is an object, for example {"side": 32}.'))
    if data_change.get("dataset", dataset_data["dataset"]) != dataset_data["dataset"]:
        raise RecipeRefused(Refusal("/overrides/data/dataset", "Name the dataset in `dataset`, not in an override."))
    data = merge(dataset_data, data_change)
    try:
        shape = _DATA.validate_python(data)
    except ValidationError as error:
        raise RecipeRefused(*_refusals(error, _DATA, "/overrides", {}, inside=("data",))) from None
    fields = {name: _plain(value) for name, value in family.preset(shape).items()}
    # A budget has one unit: that of the preset must not stay beside the override's.
    if "budget" in overrides:
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
    recipe = _validated(fields, pointer, shorthands)
    if refusal := _data_mismatch(recipe.data, datasets, f"{pointer}/data"):
        raise RecipeRefused(refusal)
    if epochs is None:
        return recipe
    steps = _steps_of_epochs(epochs, datasets[recipe.data.dataset], recipe)
    return _validated({**fields, "budget": {"steps": steps}}, pointer, shorthands)


def _single_unit(budget: Any, pointer: str) -> tuple[Any, float | None]:
    """Return the budget as a recipe has it, and the epochs if it is in epochs; the recipe then decides the steps.

    A budget in minutes has MAX_STEPS steps until the speed is measured. Raises RecipeRefused for several units.
    """
    if not isinstance(budget, Mapping):
        return budget, None
    amounts = {unit: value for unit, value in budget.items() if value is not None}
    # The recipe of a job whose speed is not measured yet holds both.
    if "minutes" in amounts and amounts.get("steps") == MAX_STEPS:
        del amounts["steps"]
    if len(units := [unit for unit in ("steps", "epochs", "minutes") if unit in amounts]) > 1:
        raise RecipeRefused(Refusal(pointer, f"The budget is given in {' and in '.join(units)}: choose one of them."))
    if "minutes" in amounts:
        return {"steps": MAX_STEPS, **amounts}, None
    if (epochs := amounts.pop("epochs", None)) is None:
        return amounts, None
    try:
        return {**amounts, "steps": 1}, _EPOCHS.validate_python(epochs)
    except ValidationError as error:
        raise RecipeRefused(*_refusals(error, _EPOCHS, pointer, {}, inside=("epochs",))) from None


def _steps_of_epochs(epochs: float, info: DatasetInfo, recipe: Recipe) -> int:
    """Return the steps in which the critics see every example `epochs` times, averaged over both domains."""
    # The size of unpaired data counts both domains; that of pairs counts pairs.
    domains = 2 if info.kind == "unpaired" else 1
    return max(1, math.ceil(epochs * info.size / (domains * recipe.batch_size * recipe.turns.critic_steps)))


def _default_intervals(steps: int) -> dict[str, int]:
    """Return the default intervals, in steps, between checkpoints and between reports."""
    return {"checkpoint_every": -(-steps // 20), "report_every": -(-steps // 40)}


def _with_watch(fields: Json) -> Json:
    """Return the fields with defaults for missing fields of the watch. Invalid fields are refused elsewhere."""
    watch = fields.get("watch", {})
    kinds = [
        str(part.get("kind") if isinstance(part := fields.get(name), Mapping) else None) for name in WATCH_DEFAULT_PARTS
    ]
    batch, every = fields.get("batch_size"), fields.get("checkpoint_every")
    if not isinstance(batch, int) or not isinstance(every, int) or min(batch, every) < 1:
        return fields
    if not isinstance(watch, Mapping):
        return fields
    default = default_watch(*kinds, batch_size=batch, checkpoint_every=every)
    return fields if default is None else fields | {"watch": default | dict(watch)}


def _validated(fields: Json, pointer: str, shorthands: Mapping[str, str]) -> Recipe:
    try:
        steps = Budget.model_validate(fields.get("budget")).steps
    except ValidationError:
        steps = 1  # the budget is refused below
    try:
        return Recipe.model_validate(_with_watch(_default_intervals(steps) | fields))
    except ValidationError as error:
        raise RecipeRefused(*_refusals(error, _RECIPE, pointer, shorthands)) from None


def _shorthand_pointers(dataset: str | None, seed: int | None, budget: Mapping[str, Any] | None) -> dict[str, str]:
    """Return by part of the recipe the pointer to the shorthand that set it, for refusals."""
    values = {"data": dataset, "seed": seed, "budget": budget}
    return {part: f"/{'dataset' if part == 'data' else part}" for part, value in values.items() if value is not None}


def _refusals(
    error: ValidationError,
    adapter: TypeAdapter[Any],
    prefix: str,
    shorthands: Mapping[str, str],
    inside: tuple[str, ...] = (),
) -> list[Refusal]:
    refusals = wording.refusals(error.errors(include_url=False), wording.schema_of(adapter), inside)
    return [Refusal(_client_pointer(refusal.pointer, prefix, shorthands), refusal.message) for refusal in refusals]


def _client_pointer(pointer: str, prefix: str, shorthands: Mapping[str, str]) -> str:
    """Return the pointer into the client's request for a pointer into the recipe."""
    part = pointer.split("/")[1] if pointer else ""
    if part in shorthands and part != "data":
        return shorthands[part] + pointer[len(part) + 1 :]
    return prefix + pointer
