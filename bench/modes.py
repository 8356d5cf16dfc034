"""How many modes do GANs capture on a ring of 8 and a grid of 25 Gaussians, and of the 1,000 of stacked MNIST?

    python -m bench.modes [--quick] [--jobs N] [--json FILE]
    FORGER_DATA=<folder> python -m bench.modes --stacked [--quick] [--jobs N] [--json FILE]

Each run trains one recipe with one seed on one thread; figures are means over seeds and standard deviations between
them. Finished runs are kept in bench/cache. Figures, counted as in the papers (gaussians: Srivastava et al. 2017, Lin
et al. 2018; 2,500 points of the averaged generator):

- modes: number of modes that are the nearest mode of at least one point of high quality
- high_quality: share of points within three standard deviations of their nearest mode (true distribution: 0.989)
- reverse_kl: divergence of the histogram of nearest modes from the uniform one, in nats

and with --stacked, from 26,000 pictures whose three digits a classifier of single digits reads:

- modes: number of the 1,000 triples that occur
- kl: divergence of their histogram from the uniform one, in nats

`against` is the ratio of our value to the published one that its name ends with.
"""

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor

from app.core.settings import get_settings
from bench import judge as judging
from bench.judge import Judge
from bench.results import RESULTS, Row, show, write
from bench.runs import Figures, Measure, measured, trained
from data.readers.builtin import load
from data.toy import MIXTURES
from models.latent import draw_latent
from models.rng import Rng
from models.spec.data import Images
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.evaluation.metrics.classes import class_modes
from worker.evaluation.metrics.mixtures import modes
from worker.training.samples import to_pixels
from worker.training.trainer import NonFinite, Trainer

POINTS, PICTURES = 2_500, 26_000
TRIPLES = 1_000
QUICK_STEPS = 1_000
"""on stacked MNIST"""
DRAWN_AT_ONCE = 1_000
JUDGE_EPOCHS = 6
Overrides = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One row of the table: a family, and the changes to its defaults."""

    name: str
    family: str
    overrides: Overrides = field(default_factory=dict)

    def recipe(self, dataset: str, seed: int) -> Recipe:
        return resolve(self.family, dataset=dataset, seed=seed, overrides=self.overrides)[1]

    def within(self, steps: int) -> "Case":
        """Return the same case with another budget."""
        return replace(self, overrides={**self.overrides, "budget": {"steps": steps}})


def _as_published(
    latent: int,
    generator: Sequence[int],
    critic: Sequence[int],
    activation: str,
    rates: tuple[float, float],
    beta1: float,
) -> dict[str, Any]:
    """Return a plain GAN without our scaling, schedule and average. `rates` are those of generator and critic."""
    of_generator, of_critic = ({"kind": "adam", "rate": rate, "beta1": beta1, "beta2": 0.999} for rate in rates)
    return {
        "latent": {"kind": "normal", "size": latent, "scale": 1},
        "generator": {"kind": "mlp", "hidden": list(generator), "activation": activation},
        "critic": {"kind": "mlp", "hidden": list(critic), "activation": activation, "input_scale": 1},
        "generator_optimizer": of_generator,
        "critic_optimizer": of_critic,
        "schedule": {"kind": "constant"},
        "ema": {"decay": 0},
    }


PACGAN_SETTING: Overrides = _as_published(2, (400, 400), (200, 200, 200), "relu", (1e-4, 1e-4), beta1=0.8) | {
    "batch_size": 100,
    "budget": {"steps": 10_000},
}
"""PacGAN's networks and rates; ReLU instead of maxout, and 10 epochs instead of 400"""
UNROLLED_SETTING: Overrides = _as_published(256, (128, 128), (128, 128), "tanh", (1e-3, 1e-4), beta1=0.5) | {
    "batch_size": 512,
    "budget": {"steps": 5_000},
}
"""the GAN that collapses in the unrolled GAN's paper; our initial weights, and 5,000 steps instead of 25,000"""
GAUSSIANS = (
    Case("gan, PacGAN's setting", "gan", PACGAN_SETTING),
    Case("gan, unrolled's setting", "gan", UNROLLED_SETTING),
    *(Case(name, name) for name in ("gan", "unrolled", "pacgan", "mdgan", "minibatch", "wgan_gp", "r3gan")),
)
STACKED = (
    *(Case(name, name) for name in ("dcgan", "pacgan", "minibatch", "r3gan")),
    Case("r3gan, longer", "r3gan", {"budget": {"steps": 10_000}}),
)
PUBLISHED: Mapping[str, Mapping[str, Figures]] = {
    "ring8": {
        "modes": {"GAN": 6.3, "unrolled": 7.6, "VEEGAN": 8, "PacGAN2": 7.9},
        "high_quality": {"GAN": 0.982, "unrolled": 0.356, "VEEGAN": 0.529, "PacGAN2": 0.956},
        "reverse_kl": {"GAN": 0.45, "PacGAN2": 0.07},
    },
    "grid25": {
        "modes": {"GAN": 17.3, "unrolled": 23.6, "VEEGAN": 24.6, "PacGAN2": 23.8},
        "high_quality": {"GAN": 0.948, "unrolled": 0.16, "VEEGAN": 0.40, "PacGAN2": 0.913},
        "reverse_kl": {"GAN": 0.70, "PacGAN2": 0.13},
    },
    "stacked_mnist": {
        "modes": {"DCGAN": 78.9, "unrolled": 48.7, "VEEGAN": 150, "PacDCGAN2": 1000},
        "kl": {"DCGAN": 4.50, "unrolled": 4.32, "VEEGAN": 2.95, "PacDCGAN2": 0.06},
    },
}
"""GAN, DCGAN and PacGAN from PacGAN's tables (Lin et al. 2018), unrolled and VEEGAN from VEEGAN's"""


def main() -> None:
    options = _options()
    found = stacked(options) if options.stacked else gaussians(options)
    show("Modes captured", found)
    path = options.json or RESULTS / ("modes-stacked.json" if options.stacked else "modes.json")
    write("modes", found, path, threads=1, seeds=options.seeds or "own", quick=options.quick)
    print(f"Written to {path}")


def gaussians(options: argparse.Namespace) -> list[Row]:
    seeds = options.seeds or (3 if options.quick else 10)
    found = [row for dataset in ("ring8", "grid25") for row in true_points(dataset)]
    for dataset in ("ring8", "grid25"):
        found += table(GAUSSIANS, dataset, seeds, points_captured, options.jobs)
    return found


def stacked(options: argparse.Namespace) -> list[Row]:
    if get_settings().data is None:
        raise SystemExit("Set FORGER_DATA to the folder that contains mnist/.")
    reader()  # learned once, before processes would each learn it
    cases = [case.within(QUICK_STEPS) for case in STACKED] if options.quick else STACKED
    return table(cases, "stacked_mnist", options.seeds or 1, triples_captured, options.jobs)


def table(cases: Sequence[Case], dataset: str, seeds: int, measure: Measure, jobs: int) -> list[Row]:
    """Run every case with all seeds; print its rows as they come."""
    recipes = [case.recipe(dataset, seed) for case in cases for seed in range(1, seeds + 1)]
    runs, found = measured(recipes, measure, jobs), list[Row]()
    for case in cases:
        steps = case.recipe(dataset, 1).budget.steps
        figures = [next(runs) for _ in range(seeds)]
        found += rows(f"{dataset} {case.name}", dataset, figures, steps)
        print(
            case.name, dataset, *(f"{row.figure} {row.value:.4g}" for row in found[-len(figures[0]) - 1 :]), flush=True
        )
    return found


def rows(case: str, dataset: str, runs: Sequence[Figures], steps: int) -> Iterator[Row]:
    """Yield means over runs with the standard deviations between them, and the steps of each run."""
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        published = PUBLISHED[dataset].get(figure, {})
        against = {f"{name} {value:g}": mean(values) / value for name, value in published.items()}
        yield Row(case, figure, mean(values), stdev(values) if len(values) > 1 else None, len(values), against)
    yield Row(case, "steps", steps)


def true_points(dataset: str) -> Iterator[Row]:
    """Yield the figures of points of the true distribution: the best that is possible."""
    recipe = Case("gan", "gan").recipe(dataset, 1)
    points = load(recipe.data, None, "test").points
    assert points is not None
    for figure, value in _counted(points[:POINTS], dataset).items():
        yield Row(f"{dataset} true points", figure, value, n=1)


def points_captured(recipe: Recipe) -> Figures:
    """Train on a mixture and count the captured modes. A run whose losses were not finite captured none."""
    began, dataset = time.process_time(), recipe.data.dataset
    try:
        trainer = trained(recipe)
    except NonFinite:
        worst = math.log(len(MIXTURES[dataset].modes))
        figures = {"modes": 0.0, "high_quality": 0.0, "reverse_kl": worst}
    else:
        figures = _counted(_drawn(trainer, POINTS), dataset)
    return figures | {"seconds": time.process_time() - began}


def triples_captured(recipe: Recipe) -> Figures:
    """Train on stacked MNIST and count the triples of digits that are generated."""
    began = time.process_time()
    trainer = trained(recipe)
    seconds = time.process_time() - began
    seen, kl = class_modes(read(reader(), _drawn(trainer, PICTURES)), TRIPLES)
    return {"modes": float(seen), "kl": kl, "seconds": seconds}


def read(judge: Judge, pictures: Tensor) -> Tensor:
    """Return the numbers 0 to 999 of stacked digits [n, 3, 28, 28] in [-1, 1], the first channel's digit first."""
    levels = torch.from_numpy(to_pixels(pictures)).permute(0, 3, 1, 2)
    hundreds, tens, ones = (judging.classes(judge, levels[:, [channel]]) for channel in range(3))
    return 100 * hundreds + 10 * tens + ones


@cache
def reader() -> Judge:
    """Return the classifier of single digits, trained on MNIST."""
    digits = load(Images(dataset="mnist", side=28, channels=1, classes=10), get_settings().data)
    assert digits.images is not None
    assert digits.labels is not None
    return judging.real_judge(digits.images, digits.labels, epochs=JUDGE_EPOCHS)


def _counted(points: Tensor, dataset: str) -> Figures:
    found = modes(points, MIXTURES[dataset])
    return {"modes": float(found.captured), "high_quality": found.high_quality, "reverse_kl": found.reverse_kl}


@torch.no_grad()
def _drawn(trainer: Trainer, n: int) -> Tensor:
    """Draw examples with the averaged generator; the noise is that of the run's seed."""
    z = draw_latent(trainer.recipe.latent, Rng(trainer.recipe.seed).stream("modes"), n)
    return torch.cat([trainer.average.network(part).float() for part in torch.split(z, DRAWN_AT_ONCE)])


def _options(arguments: Iterable[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stacked", action="store_true", help="stacked MNIST instead of gaussians")
    parser.add_argument("--quick", action="store_true", help=f"3 seeds instead of 10; {QUICK_STEPS} steps of --stacked")
    parser.add_argument("--seeds", type=int, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at the same time (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures")
    return parser.parse_args(None if arguments is None else list(arguments))


if __name__ == "__main__":
    main()
