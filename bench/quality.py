"""How good do generated digits get? Conditional families by requested class, and DCGAN's networks by objective.

    FORGER_DATA=<folder> python -m bench.quality [--quick] [--jobs N] [--seeds N] [--json FILE]

Each run trains one recipe on MNIST on one thread. Conditional families have the budgets below, and their figures are
means over 3 seeds (1 with --quick) with the standard deviations between them; objectives have 1,500 steps each and one
seed. Finished runs are kept in bench/cache, so that an interrupted bench continues. Figures, of pictures of the
averaged generator:

- agreement: share of 5,000 digits, 500 a class, that a classifier of real digits reads as the requested class
- spread: within-class standard deviation of pixels over that of real digits (target 1; prototypes have a low one)
- gan_train: accuracy on real test digits of a classifier that learned only from 20,000 generated digits
- frechet: Fréchet distance of 5,000 digits to the real test digits in the first classifier's features

`against` is the ratio of our value to the one that its name says. Published are 99.55% agreement (Mycsina's
conditional GAN) and 98.37% for training on generated digits (Toubassi's, one GAN for each digit). A run whose losses
were not finite counts as grey pictures.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import Tensor, nn

from app.core.settings import get_settings
from bench import judge as judging
from bench.judge import Judge
from bench.modes import Case
from bench.results import RESULTS, Row, show, write
from bench.runs import Figures, Measure, measured, trained
from data.batches import as_levels
from data.readers.builtin import Data, DatasetMissing, Split, load
from models.latent import draw_latent
from models.rng import Rng
from models.spec.data import Images
from models.spec.recipe import Recipe
from worker.evaluation.generator_under_test import not_none
from worker.evaluation.metrics.classes import within_class_spread
from worker.evaluation.metrics.distances import frechet
from worker.training.trainer import NonFinite

CLASSES = 10
DRAWN, DRAWN_FOR_STUDENT = 5_000, 20_000
JUDGE_EPOCHS, STUDENT_EPOCHS = 6, 4
SEEDS, QUICK_STEPS = 3, 200
PUBLISHED = {"agreement": {"published 99.55%": 0.9955}, "gan_train": {"published 98.37%": 0.9837}}

CONDITIONAL = (
    Case("cgan", "cgan", {"budget": {"steps": 16_000}}),
    Case("cdcgan", "cdcgan", {"budget": {"steps": 6_000}}),
    Case("acgan", "acgan", {"budget": {"steps": 6_000}}),
    Case(
        "r3gan, conditional",
        "r3gan",
        {"game": {"conditional": True}, "generator": {"norm": "batch"}, "budget": {"steps": 3_000}},
    ),
)
"""some six to ten minutes of one core each"""
SCORES = (
    "non_saturating", "minimax", "maximum_likelihood", "least_squares", "hinge", "relativistic", "kl", "reverse_kl",
    "d2gan",
)  # fmt: skip
"""objectives with which DCGAN's critic can be trained unchanged"""
OBJECTIVES = (
    *(Case(f"dcgan, {kind}", "dcgan", {"objective": {"kind": kind}}) for kind in SCORES),
    Case("dcgan, wasserstein, clipped", "wgan"),
    Case("dcgan, wasserstein, gradient penalty", "wgan_gp"),
    Case("began", "began"),
)
"""the two Wasserstein objectives with their families' optimisers and critic updates; began with its own networks"""
OBJECTIVE_STEPS = 1_500
"""half of dcgan's own budget on MNIST: two to five minutes of one core each"""


def main() -> None:
    options = _options()
    try:
        real = real_digits()
    except DatasetMissing as error:
        raise SystemExit(str(error)) from error
    found = [Row("real digits", figure, value, n=1) for figure, value in real.items()]
    halved = [case.within(OBJECTIVE_STEPS) for case in OBJECTIVES]
    for cases, measure, usual in ((CONDITIONAL, as_asked, SEEDS), (halved, apart, 1)):
        seeds = options.seeds or (1 if options.quick else usual)
        chosen = [case.within(QUICK_STEPS) for case in cases] if options.quick else cases
        found += table(chosen, measure, real, seeds, options.jobs)
    show("MNIST", found)
    write("quality", found, options.json, threads=1, quick=options.quick)
    print(f"Written to {options.json}")


def table(cases: Sequence[Case], measure: Measure, real: Figures, seeds: int, jobs: int) -> list[Row]:
    """Run every case with all seeds; print a line for each."""
    recipes = [case.recipe("mnist", seed) for case in cases for seed in range(1, seeds + 1)]
    runs, found = measured(recipes, measure, jobs), list[Row]()
    for case in cases:
        own = list(rows(case, [next(runs) for _ in range(seeds)], real))
        print(case.name, *(f"{row.figure} {row.value:.4g}" for row in own), flush=True)
        found += own
    return found


def rows(case: Case, runs: Sequence[Figures], real: Figures) -> Iterator[Row]:
    """Yield means over runs with the standard deviations between them, and the steps of each run."""
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        known = PUBLISHED.get(figure, {}) | ({"real": real[figure]} if figure in real else {})
        against = {name: mean(values) / value for name, value in known.items()}
        yield Row(case.name, figure, mean(values), stdev(values) if len(values) > 1 else None, len(values), against)
    yield Row(case.name, "steps", case.recipe("mnist", 1).budget.steps)


def real_digits() -> Figures:
    """Return the figures of real training digits, the best that is possible: 5,000 of them, for gan_train all."""
    pictures, labels = digits("train")
    reads = judging.accuracy(reader(), *digits("test"))
    spread = within_class_spread(pictures[:DRAWN], labels[:DRAWN]) / within_class_spread(pictures, labels)
    return {"agreement": reads, "spread": spread, "gan_train": reads, "frechet": _distance(pictures[:DRAWN])}


def as_asked(recipe: Recipe) -> Figures:
    """Train a conditional family and measure its digits."""
    began = time.process_time()
    network = _learned(recipe)
    seconds = time.process_time() - began
    drawn, requested = draw(network, recipe, DRAWN)
    student = judging.trained(*draw(network, recipe, DRAWN_FOR_STUDENT), epochs=STUDENT_EPOCHS)
    return {
        "agreement": judging.accuracy(reader(), drawn, requested),
        "spread": within_class_spread(drawn, requested) / within_class_spread(*digits("train")),
        "gan_train": judging.accuracy(student, *digits("test")),
        "frechet": _distance(drawn),
        "seconds": seconds,
    }


def apart(recipe: Recipe) -> Figures:
    """Train without classes and measure only the distance."""
    began = time.process_time()
    network = _learned(recipe)
    seconds = time.process_time() - began
    return {"frechet": _distance(draw(network, recipe, DRAWN)[0]), "seconds": seconds}


def _learned(recipe: Recipe) -> nn.Module | None:
    """Return the averaged generator at the end; None if losses were not finite."""
    images, labels = digits("train")
    try:
        return trained(recipe, Data(images=images, labels=labels)).average.network
    except NonFinite:
        return None


@torch.no_grad()
def draw(network: nn.Module | None, recipe: Recipe, n: int) -> tuple[Tensor, Tensor]:
    """Draw digits uint8 [n, 1, 28, 28], equally many of each class, and their classes; grey without a network."""
    requested = torch.arange(n) % CLASSES
    if network is None:
        return torch.full((n, *digits("test")[0].shape[1:]), 128, dtype=torch.uint8), requested
    z = draw_latent(recipe.latent, Rng(recipe.seed).stream("quality", n), n)
    parts = zip(judging.in_parts(z), judging.in_parts(requested), strict=True)
    return torch.cat([as_levels(network(part, label if recipe.classes else None)) for part, label in parts]), requested


def _distance(pictures: Tensor) -> float:
    return frechet(_real_features(), judging.features(reader(), pictures))


@cache
def _real_features() -> Tensor:
    return judging.features(reader(), digits("test")[0])


@cache
def reader() -> Judge:
    """Return the classifier of digits, trained on MNIST."""
    return judging.real_judge(*digits("train"), epochs=JUDGE_EPOCHS)


@cache
def digits(split: Split) -> tuple[Tensor, Tensor]:
    """Return MNIST: uint8 [n, 1, 28, 28] and labels [n]. Raises DatasetMissing."""
    spec = Images(dataset="mnist", side=28, channels=1, classes=CLASSES)
    data = load(spec, get_settings().data, split, downloads=judging.CACHE)
    return not_none(data.images), not_none(data.labels)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"one seed and {QUICK_STEPS} steps")
    parser.add_argument("--seeds", type=int, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at the same time (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures")
    options = parser.parse_args()
    options.json = options.json or (judging.CACHE / "quality-quick.json" if options.quick else RESULTS / "quality.json")
    return options


if __name__ == "__main__":
    main()
