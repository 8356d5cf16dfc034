"""Is the watch right? The lecture's six runs, of which two fail, and ten healthy runs of other families.

    FORGER_DATA=<folder> python -m bench.watchdog [--quick] [--jobs N] [--json FILE]

Each run trains one recipe on one thread and is evaluated as a job would be. The rules of worker.training.health are
then applied to the evaluations, to see what a job would have reported, and when. Finished runs are kept in bench/cache,
without the reports: a change of the rules needs no new training. --quick cuts the lecture's runs to two epochs and
takes four of the ten. Rows:

- right: 1 if exactly the expected grave trouble was reported, and for healthy runs no trouble at all, grave or not
- reported_at: step of the first report over the steps of the run
- cost: evaluations' share of the time of one core
- the declared metric at the end
"""

import argparse
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from app.core.settings import get_settings
from bench import judge as judging
from bench import lecture
from bench.results import RESULTS, Row, show, write
from bench.runs import Figures, measured
from data.batches import Batches
from data.readers.builtin import load
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.evaluation.live import Inspector
from worker.training import numerics
from worker.training.health import LiveEvaluation, troubles
from worker.training.trainer import Trainer

say = partial(print, flush=True)
EXPECTED = {"mode_collapse": "collapse", "converges_but_fails": "converged_but_fails"}
HEALTHY = {
    "cdcgan": "digits", "wgan_gp": "grid25", "gumbel_gan": "dyck", "vae": "digits", "acgan": "digits",
    "pacgan": "digits", "sngan": "digits", "r3gan": "ring8", "began": "digits", "cyclegan": "day2night",
}  # fmt: skip
LIGHT = {"critic_too_weak", "oscillation", "no_progress"}
FEW = 4
"""healthy runs of --quick"""
JUDGES = judging.CACHE / "judges"
ACCURACY, COST = "critic_accuracy", "cost"


@dataclass(frozen=True)
class Case:
    name: str
    recipe: Recipe
    expected: str | None


def main() -> None:
    options = _options()
    plan = cases(options.quick)
    rows: list[Row] = []
    for case, figures in zip(plan, measured([case.recipe for case in plan], evaluated, options.jobs), strict=True):
        reported = reports_of(case.recipe, figures)
        rows += _rows(case, reported, figures)
        kinds = ", ".join(f"{kind} at {step:,}" for kind, step in reported.items())
        say(f"{case.name}: {kinds or 'nothing reported'}")
    show("Reports of the watch", rows)
    write("watchdog", rows, options.json)
    say(f"Right in {sum(row.value for row in rows if row.figure == 'right'):.0f} of {len(plan)}. In {options.json}")


def cases(quick: bool) -> list[Case]:
    """Return every run, with its default budget or the lecture's."""
    budget = {"budget": {"epochs": 2}} if quick else {}
    six = [Case(name, lecture.recipe(name, **budget), EXPECTED.get(name)) for name in lecture.names()]
    few = list(HEALTHY.items())[: FEW if quick else None]
    return six + [Case(f"{family} on {data}", resolve(family, dataset=data, seed=1)[1], None) for family, data in few]


def evaluated(recipe: Recipe) -> Figures:
    """Train, and return the figures of all evaluations by `step/figure`, and their cost."""
    assert recipe.watch is not None
    numerics.apply(numerics.local_numerics("cpu", recipe, threads=1))
    device = torch.device("cpu")
    data = load(recipe.data, get_settings().data)
    trainer = Trainer(
        recipe, Batches(recipe, data, device), device, numerics.local_numerics("cpu", recipe, 1).precision
    )
    for _ in trainer.prepare():
        pass
    inspector = Inspector(recipe, trainer.average.network, data, JUDGES)
    figures: Figures = {}
    looking, began = 0.0, time.process_time()
    while trainer.step < recipe.budget.steps:
        trainer.advance()
        if trainer.step % recipe.watch.every == 0 or trainer.step == recipe.budget.steps:
            before = time.process_time()
            seen = inspector.measure() | {ACCURACY: trainer.critic_accuracy()}
            looking += time.process_time() - before
            figures |= {f"{trainer.step}/{name}": value for name, value in seen.items() if math.isfinite(value)}
    return figures | {COST: looking / (time.process_time() - began)}


def reports_of(recipe: Recipe, figures: Figures) -> dict[str, int]:
    """Return each trouble that the rules detect in these evaluations, with the step of its first report."""
    assert recipe.watch is not None
    seen, reported = list[LiveEvaluation](), dict[str, int]()
    for evaluation in history(figures):
        seen.append(evaluation)
        for trouble in troubles(seen, recipe.watch.metric, recipe.budget.steps):
            reported.setdefault(trouble.kind, evaluation.step)
    return reported


def history(figures: Figures) -> Iterator[LiveEvaluation]:
    """Yield the evaluations in the result of `evaluated`, in the order of their steps."""
    by_step: dict[int, Figures] = {}
    for key, value in figures.items():
        if key != COST:
            at, name = key.split("/")
            by_step.setdefault(int(at), {})[name] = value
    for step, seen in sorted(by_step.items()):
        yield LiveEvaluation(
            step, {name: value for name, value in seen.items() if name != ACCURACY}, seen.get(ACCURACY)
        )


def right(expected: str | None, reported: Mapping[str, int]) -> bool:
    """Return whether the reports are right. Light trouble may come with the grave one."""
    return set(reported) - LIGHT == {expected} if expected else not reported


def _rows(case: Case, reported: Mapping[str, int], figures: Figures) -> Iterator[Row]:
    assert case.recipe.watch is not None
    metric, steps = case.recipe.watch.metric, case.recipe.budget.steps
    yield Row(case.name, "right", float(right(case.expected, reported)))
    if reported:
        yield Row(case.name, "reported_at", min(reported.values()) / steps)
    yield Row(case.name, COST, figures[COST])
    yield Row(case.name, metric, figures[f"{steps}/{metric}"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two epochs of the lecture's runs, four healthy ones")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, each on one thread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the result")
    options = parser.parse_args()
    name = "watchdog-quick" if options.quick else "watchdog"
    options.json = options.json or (judging.CACHE if options.quick else RESULTS) / f"{name}.json"
    return options


if __name__ == "__main__":
    main()
