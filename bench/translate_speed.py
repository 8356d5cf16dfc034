"""How long does a translation take, compared with the bare network on the same pixels?

    python -m bench.translate_speed [--quick] [--json FILE]

Measures untrained translators of a few families. The engine and the bare network take turns in one process, with the
same number of threads. Figures of each case, medians over the rounds, with half the distance between quartiles as
spread:

- seconds: of the engine, from the picture's bytes in memory to those of the result, without decoding and encoding
- bare s: of the network alone, on one tensor of all pixels
- ratio: seconds over bare s; the goal for one megapixel is 1.3
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.options import parser_of
from bench.results import Row, show, write
from models.export import load_export
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from serving.engine import Engine
from tests.support.exports import write_vivid

CASES: tuple[tuple[str, str, dict[str, Any], tuple[int, int]], ...] = (
    ("cyclegan, small", "cyclegan", {}, (1024, 1024)),
    ("cyclegan, small, 1280 x 960", "cyclegan", {}, (960, 1280)),
    ("pix2pix, small", "pix2pix", {}, (1024, 1024)),
    ("cyclegan, published", "cyclegan", {"data": {"side": 256}}, (1024, 1024)),
    ("cyclegan, small, 12 megapixels", "cyclegan", {}, (3000, 4000)),
)
"""name, family, overrides, height and width"""
SLOW = ("cyclegan, published", "cyclegan, small, 12 megapixels")
ROUNDS, QUICK = 7, 3
GOAL = 1.3


def main() -> None:
    options = parser_of("translate_speed", __doc__, "three cases, three rounds").parse_args()
    cases, rounds = (CASES[:3], QUICK) if options.quick else (CASES, ROUNDS)
    rows: list[Row] = []
    for name, family, overrides, shape in cases:
        recipe = resolve(family, dataset="day2night", overrides=overrides)[1]
        rows += _measured(name, recipe, shape, QUICK if name in SLOW else rounds)
    show("translations compared with the bare network", rows)
    write("translate_speed", rows, options.json, threads=torch.get_num_threads())


def _measured(name: str, recipe: Recipe, shape: tuple[int, int], rounds: int) -> list[Row]:
    threads = torch.get_num_threads()
    image = np.random.default_rng(1).integers(0, 256, (*shape, recipe.shape[0]), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.safetensors"
        write_vivid(path, recipe)
        engine = Engine(device="cpu", threads=threads)
        try:
            networks = load_export(path).networks
            bare = _bare(next(iter(networks.values())), image)
            served = lambda: engine.translate(path, image, "a2b").result()  # noqa: E731
            times = [_turn(served, bare) for _ in range(rounds + 1)][1:]  # the first loads and warms up
        finally:
            engine.close()
    ratios = [took / alone for took, alone in times]
    return [
        _row(name, "seconds", [took for took, _ in times]),
        _row(name, "bare s", [alone for _, alone in times]),
        _row(name, "ratio", ratios, goal=GOAL),
    ]


def _bare(network: nn.Module, image: np.ndarray[Any, Any]) -> Callable[[], object]:
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1

    @torch.inference_mode()
    def run() -> object:
        return network(x)

    return run


def _turn(*contenders: Callable[[], object]) -> tuple[float, float]:
    seconds = []
    for run in contenders:
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return seconds[0], seconds[1]


def _row(case: str, figure: str, values: list[float], **against: float) -> Row:
    low, _, high = quantiles(values, n=4)
    return Row(case, figure, median(values), (high - low) / 2, len(values), against)


if __name__ == "__main__":
    main()
