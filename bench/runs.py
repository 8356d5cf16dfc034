"""Training runs of a bench: each trains one recipe on one thread and measures the result.

A finished run is kept in bench/cache, so that an interrupted bench continues where it stopped. Its key is made of the
recipe, the function that measures and VERSION. Only the fields of the recipe that decide the weights are used.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch

from app.core.settings import get_settings
from data.batches import Batches
from data.readers.builtin import Data, load
from models.spec.recipe import Recipe
from worker.training import numerics as numerics_module
from worker.training.trainer import Trainer

CACHE = Path(__file__).parent / "cache" / "runs"
VERSION = 1
"""raised when training or measuring changes, so that no older run is used"""
NO_PART = {"watch", "checkpoint_every", "report_every", "probe"}
"""fields of a recipe that do not affect the weights here, because nothing is evaluated, saved or reported"""
Figures = dict[str, float]
Measure = Callable[[Recipe], Figures]
"""trains and measures; a function of a module, so that another process finds it"""


def measured(recipes: Sequence[Recipe], measure: Measure, jobs: int = 1) -> Iterator[Figures]:
    """Yield the figures of each run, in order, from up to `jobs` processes at the same time."""
    with _processes(jobs) as processes:
        yield from (processes.map if processes else map)(partial(_kept, measure), recipes)


def trained(recipe: Recipe, data: Data | None = None) -> Trainer:
    """Train to the end of the budget, on the recipe's data unless given. Raises NonFinite, DatasetMissing."""
    numerics = numerics_module.local_numerics("cpu", recipe, threads=1)
    numerics_module.apply(numerics)
    device = torch.device("cpu")
    data = data or load(recipe.data, get_settings().data)
    trainer = Trainer(recipe, Batches(recipe, data, device), device, numerics.precision)
    for _ in trainer.prepare():
        pass
    while trainer.step < recipe.budget.steps:
        trainer.advance()
    trainer.check_finite()
    trainer.average.network.eval()
    return trainer


def mark(measure: Measure, recipe: Recipe) -> str:
    """Return the key of a run: 16 hex digits."""
    deciding = recipe.model_dump_json(exclude=NO_PART)
    named = f"{VERSION}/{measure.__name__}/{deciding}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _kept(measure: Measure, recipe: Recipe) -> Figures:
    path = CACHE / f"{mark(measure, recipe)}.json"
    if path.is_file():
        kept: Figures = json.loads(path.read_text())
        return kept
    figures = measure(recipe)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(figures))
    fresh.replace(path)
    return figures


def _processes(jobs: int) -> Executor | nullcontext[None]:
    """Return new processes, because torch's threads do not survive a fork; none if one job at a time is enough."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) if jobs > 1 else nullcontext()
