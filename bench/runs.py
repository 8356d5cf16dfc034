"""Training runs that a bench keeps: each is one recipe on one thread, and what was measured of its end.

A finished run lies in bench/cache, so that a bench that was interrupted goes on where it was. It is found again by its
recipe, by what was measured and by VERSION; of the recipe only what decides the weights counts.
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
"""counted up when training or measuring changes, so that no kept run is taken for a new one"""
NO_PART = {"watch", "checkpoint_every", "report_every", "probe"}
"""fields of a recipe that decide no weights here, where nothing is watched, saved or reported"""
Figures = dict[str, float]
Measure = Callable[[Recipe], Figures]
"""trains and measures; a function of a module, so that another process finds it"""


def measured(recipes: Sequence[Recipe], measure: Measure, jobs: int = 1) -> Iterator[Figures]:
    """The figures of each run, in order, from up to `jobs` processes at once."""
    with _processes(jobs) as processes:
        yield from (processes.map if processes else map)(partial(_kept, measure), recipes)


def trained(recipe: Recipe, data: Data | None = None) -> Trainer:
    """The trainer at the end of the budget, on the recipe's own data unless given. Raises NonFinite, DatasetMissing."""
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
    """What a run is found by: 16 hex digits."""
    deciding = recipe.model_dump_json(exclude=NO_PART)
    named = f"{VERSION}/{measure.__name__}/{deciding}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _kept(measure: Measure, recipe: Recipe) -> Figures:
    path = CACHE / f"{mark(measure, recipe)}.json"
    if path.is_file():
        found: Figures = json.loads(path.read_text())
        return found
    figures = measure(recipe)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(figures))
    fresh.replace(path)
    return figures


def _processes(jobs: int) -> Executor | nullcontext[None]:
    """Fresh processes, since torch's threads do not survive a fork; none where one job at a time is enough."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) if jobs > 1 else nullcontext()
