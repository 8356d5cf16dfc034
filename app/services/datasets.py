"""The built-in datasets, and the names of their classes."""

from app.core.errors import FieldError, Invalid, NotFound
from models.spec.datasets import DATASETS, DatasetInfo
from models.spec.recipe import Recipe


def find(name: str) -> DatasetInfo:
    if name not in DATASETS:
        raise NotFound(f"There is no dataset '{name[:80]}'; there are {', '.join(DATASETS)}.")
    return DATASETS[name]


def class_names(recipe: Recipe) -> tuple[str, ...]:
    """One name per class that can be asked for; their numbers where the dataset has no names."""
    known = DATASETS.get(recipe.data.dataset)
    if known is not None and known.classes == recipe.classes:
        return known.class_names
    return tuple(str(number) for number in range(recipe.classes))


def class_number(recipe: Recipe, wanted: str) -> int:
    """`wanted` is a number or a name, in any case. Raises Invalid naming what is allowed."""
    names = class_names(recipe)
    if wanted.isascii() and wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    folded = [name.casefold() for name in names]
    if wanted.casefold() in folded:
        return folded.index(wanted.casefold())
    named = "" if names == tuple(map(str, range(len(names)))) else f" ({', '.join(names)})"
    sentence = f"There is no class '{wanted}'; ask for 0 to {len(names) - 1}{named}, or each."
    raise Invalid(sentence, code="no_such_class", errors=(FieldError("/class", sentence),))
