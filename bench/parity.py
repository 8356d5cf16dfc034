"""Is a training in bf16 as good as one in fp32?

    FORGER_DATA=<folder> python -m bench.parity [--quick] [--only WORD] [--jobs N] [--json FILE]

Families are trained on digits and on MNIST, translators on day2night, in both precisions, with the same 3 seeds (1 with
--quick), one thread for each run. The figures are those of a job's watch, measured on more pictures of the averaged
generator at the end: means over the seeds with the standard deviations between them. Finished runs are kept in
bench/cache.

`against` is the ratio to fp32, and the difference of the means in standard deviations of one run.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean, stdev

from app.core.settings import get_settings
from bench.modes import Case
from bench.options import parser_of
from bench.results import Row, show, write
from bench.runs import CACHE, Figures, measured, trained
from data.readers.builtin import load
from models.spec.recipe import Recipe
from models.spec.training import Budget
from worker.evaluation.live import Inspector

CASES = (
    *((family, dataset) for dataset in ("digits", "mnist") for family in ("cdcgan", "dcgan", "wgan_gp")),
    *((family, "day2night") for family in ("cyclegan", "pix2pix")),
)
STEPS = 1_000
DRAWN = 2_000
SEEDS, QUICK_STEPS = 3, 60
PRECISIONS = ("bf16", "fp32")
SHOWN = ("frechet", "agreement", "modes", "coverage", "psnr")
"""those of the watch's figures that a family has"""


def main() -> None:
    options = _options()
    seeds = range(1, (1 if options.quick else SEEDS) + 1)
    chosen = [case for case in CASES if options.only in " on ".join(case)]
    cases = [(*case, precision) for case in chosen for precision in PRECISIONS]
    recipes = [_recipe(*case, seed, options.quick) for case in cases for seed in seeds]
    runs, results = measured(recipes, looked_at, options.jobs), list[Row]()
    for family, dataset in chosen:
        both = {precision: [next(runs) for _ in seeds] for precision in PRECISIONS}
        own = list(rows(f"{family} on {dataset}", both))
        print(*(f"{row.case} {row.figure} {row.value:.4g}" for row in own), sep="\n", flush=True)
        results += own
    show("bf16 and fp32", results)
    write("parity", results, options.json, threads=1, quick=options.quick)
    print(f"Written to {options.json}")


def looked_at(recipe: Recipe) -> Figures:
    """Train, and measure the figures of the watch."""
    trainer = trained(recipe)
    data = load(recipe.data, get_settings().data)
    return Inspector(recipe, trainer.average.network, data, CACHE.parent).measure()


def rows(name: str, both: Mapping[str, Sequence[Figures]]) -> Iterator[Row]:
    for figure in SHOWN:
        values = {precision: [run[figure] for run in runs if figure in run] for precision, runs in both.items()}
        if not all(values.values()):
            continue
        half, full = values.values()
        apart = [stdev(each) if len(each) > 1 else 0.0 for each in (half, full)]
        usual = (sum(each**2 for each in apart) / 2) ** 0.5
        against = {"fp32": mean(half) / mean(full)} if mean(full) else {}
        if usual:
            against["deviations apart"] = abs(mean(half) - mean(full)) / usual
        yield Row(f"{name}, bf16", figure, mean(half), apart[0], len(half), against)
        yield Row(f"{name}, fp32", figure, mean(full), apart[1], len(full))


def _recipe(family: str, dataset: str, precision: str, seed: int, quick: bool) -> Recipe:
    watched = Case(family, family, {"precision": precision}).recipe(dataset, seed)  # as a budget of its own has it
    assert watched.watch is not None
    own = {
        "budget": Budget(steps=QUICK_STEPS if quick else STEPS),
        "watch": watched.watch.model_copy(update={"samples": DRAWN}),
    }
    return watched.model_copy(update=own)


def _options() -> argparse.Namespace:
    parser = parser_of("parity", __doc__, "one seed and a few steps")
    parser.add_argument("--only", metavar="WORD", default="", help="cases whose names contain it")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
