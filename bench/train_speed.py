"""How fast does training go, beside the plain loop and beside the bare mathematics?

    python -m bench.train_speed [--quick] [--precision fp32] [--json FILE]

Pictures a second of each contender, which take turns of a few steps each in one process, so that all meet the same
noise: medians over the rounds, with half the distance between quartiles as spread. Contenders:

- forger: worker.training.loop.train itself, whole: data, beats, and a report each turn
- plain loop: bench/peers/plain_loop.py in fp32, with two loader processes and with none, whichever is quicker
- limit: forward and backward of the same networks in the same precision, alone

`against` holds the ratios of forger to the others. Pictures are random; each case's recipe is the family's own, but for
what CASES says. Threads: forger and limit take what forger chooses, the plain loop takes torch's default.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import torch

from bench.peers.plain_loop import Loop, Pictures, batches
from bench.results import RESULTS, Row, show, write
from models.build import build
from models.spec.datasets import DatasetInfo
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training.batches import scaled
from worker.training.data import Data
from worker.training.loop import Quiet, Stop, train
from worker.training.numerics import Numerics, measure
from worker.training.players import layout

PICTURES = 2_048
LONG = 10_000_000
"""steps of a budget that no run comes to the end of"""


@dataclass(frozen=True)
class Case:
    name: str
    family: str
    side: int
    channels: int
    steps: int
    """of a turn"""
    classes: int = 0
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def piles(self) -> bool:
        return self.family == "cyclegan"

    def recipe(self, precision: str) -> Recipe:
        names = tuple(map(str, range(self.classes)))
        kind: Any = "unpaired" if self.piles else "images"
        info = DatasetInfo("noise", "Random pictures", kind, self.side, self.channels, names, PICTURES, "")
        fixed = {"budget": {"steps": LONG}, "checkpoint_every": LONG, "report_every": self.steps, "watch": None}
        told = self.overrides | fixed | {"precision": precision}
        return resolve(self.family, dataset="noise", seed=1, overrides=told, datasets={"noise": info})[1]


CASES = (
    Case("DCGAN, 64 px, batch 64", "dcgan", 64, 3, 4, overrides={"batch_size": 64}),
    Case(
        "cdcgan, 28 px, batch 64", "cdcgan", 28, 1, 10, classes=10,
        overrides={"penalties": [{"kind": "auxiliary", "critic_weight": 1, "generator_weight": 0.2}]},
    ),
    Case("CycleGAN, 128 px, 6 blocks, batch 1", "cyclegan", 128, 3, 2, overrides={"game": {"pool": 0}}),
    Case("WGAN-GP, 32 px, batch 64", "wgan_gp", 32, 3, 2, overrides={"batch_size": 64}),
)  # fmt: skip


@dataclass
class Contender:
    """Takes a case's steps when it is told to."""

    turn: Callable[[], None]
    threads: int
    deterministic: bool = False
    seconds: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(self.deterministic)
        began = time.perf_counter()
        self.turn()
        self.seconds.append(time.perf_counter() - began)


class Paced(Quiet):
    """A listener that lets the training go on for one turn at a time, and ends it after the last."""

    def __init__(self, steps: int, turns: int) -> None:
        self.steps, self.left = steps, turns
        self.wanted, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.step = 0

    def beat(self, step: int) -> None:
        self.step = step

    def should_stop(self) -> Stop | None:
        """Asked after each step, when it has been reported."""
        if self.step % self.steps:
            return None
        self.done.release()
        self.left -= 1
        if not self.left:
            return Stop.CANCEL
        self.wanted.acquire()
        return None

    def turn(self) -> None:
        self.wanted.release()
        self.done.acquire()


def main() -> None:
    options = _options()
    rows: list[Row] = []
    for case in (case for case in CASES if options.only in case.name):
        rows += measured(case, options.precision, 3 if options.quick else 15)
    show("Training: pictures a second", rows)
    write("train_speed", rows, options.json, precision=options.precision, quick=options.quick)
    print(f"Written to {options.json}")


def measured(case: Case, precision: str, rounds: int) -> Iterator[Row]:
    """The case's rows."""
    recipe, data = case.recipe(precision), pictures(case)
    numerics = measure("cpu", recipe, threads=None)
    turns = rounds + 1
    contenders = {
        "forger": forger(case, recipe, data, numerics, turns),
        "limit": limit(case, recipe, data, numerics),
        "plain loop, 0 loaders": plain(case, recipe, data, 0),
        "plain loop, 2 loaders": plain(case, recipe, data, 2),
    }
    for _ in range(turns):
        for contender in contenders.values():
            contender.take_turn()
    for contender in contenders.values():
        del contender.seconds[0]  # it warmed up
    speed = {name: case.steps * recipe.batch_size / median(of.seconds) for name, of in contenders.items()}
    best = max(value for name, value in speed.items() if name.startswith("plain"))
    for name, of in contenders.items():
        each = sorted(case.steps * recipe.batch_size / seconds for seconds in of.seconds)
        low, _, high = quantiles(each, n=4)
        against = {"plain loop": speed[name] / best, "limit": speed[name] / speed["limit"]} if name == "forger" else {}
        yield Row(f"{case.name}: {name}", "pictures per second", speed[name], (high - low) / 2, len(each), against)
    print(case.name, {name: round(value, 1) for name, value in speed.items()}, numerics.threads, flush=True)


def pictures(case: Case) -> Data:
    """Noise, as a dataset."""
    shape = (PICTURES, case.channels, case.side, case.side)
    chance = torch.Generator().manual_seed(1)
    first, second = (torch.randint(0, 256, shape, generator=chance, dtype=torch.uint8) for _ in range(2))
    if case.piles:
        return Data(a=first, b=second)
    return Data(images=first, labels=torch.arange(PICTURES) % case.classes if case.classes else None)


def forger(case: Case, recipe: Recipe, data: Data, numerics: Numerics, turns: int) -> Contender:
    """The loop in a thread of its own, which waits between turns."""
    listener = Paced(case.steps, turns)

    def run() -> None:
        torch.set_num_threads(numerics.threads)
        listener.wanted.acquire()
        with tempfile.TemporaryDirectory() as folder:
            train(recipe, data, listener, folder=Path(folder), attempt=1, resume=None, numerics=numerics)

    threading.Thread(target=run, daemon=True).start()
    return Contender(listener.turn, numerics.threads, numerics.deterministic)


def limit(case: Case, recipe: Recipe, data: Data, numerics: Numerics) -> Contender:
    """One batch, again and again."""
    real = data.images if data.a is None else data.a
    assert real is not None
    beside = data.labels if data.b is None else scaled(data.b[: recipe.batch_size])
    batch = scaled(real[: recipe.batch_size]), torch.zeros(()) if beside is None else beside[: recipe.batch_size]
    memory = layout(build(recipe).generator)
    loop = Loop(recipe, repeat(batch), bare=True, half=numerics.precision == "bf16", memory=memory)
    return Contender(partial(_steps, loop, case.steps), numerics.threads)


def plain(case: Case, recipe: Recipe, data: Data, workers: int) -> Contender:
    first, second = (
        None if pile is None else pile.permute(0, 2, 3, 1).numpy()
        for pile in (data.images if data.a is None else data.a, data.b)
    )
    assert first is not None
    labels = np.zeros(len(first), np.int64) if data.labels is None else data.labels.numpy()
    dataset = Pictures(first, labels if second is None else second)
    loop = Loop(recipe, batches(dataset, recipe.batch_size, workers))
    return Contender(partial(_steps, loop, case.steps), torch.get_num_threads())


def _steps(loop: Loop, steps: int) -> None:
    for _ in range(steps):
        loop.step()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 15")
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="forger's and the limit's"
    )
    parser.add_argument("--only", metavar="WORD", default="", help="cases whose names hold it")
    parser.add_argument("--json", type=Path, default=RESULTS / "train_speed.json", metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
