"""How fast is training, compared with the plain loop and with the bare limit?

    python -m bench.train_speed [--quick] [--precision fp32] [--device cuda] [--json FILE]

Measures pictures per second of each contender, which are separate processes. They take turns of a few steps, so that
other load affects all alike: medians over the turns, with half the distance between quartiles as spread. Contenders:

- forger: the whole worker.training.loop.train: data, heartbeats, and a report in each turn
- forger, not deterministic: the same without torch's deterministic algorithms, which Forger does not offer
- plain: bench/peers/plain_loop.py in fp32, the faster of two loader processes and none
- limit: only forward and backward of the same networks in the same precision; on a GPU captured as a CUDA graph

`against` is the ratio of forger to the others. Pictures are random; each case's recipe is the family's default with the
changes in CASES. Forger and limit have the threads and the environment of a runner; the plain loop has torch's default.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NoReturn

import numpy as np
import torch

from bench.options import parser_of
from bench.peers.plain_loop import Loop, Pictures, batches
from bench.results import CHECKOUT, Row, show, write
from data.batches import scaled
from data.readers.builtin import Data
from models.build import build
from models.duel import Losses
from models.spec.datasets import DatasetInfo
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.runner_process import TUNING_ENVIRONMENT
from worker.training.cuda_graphs import EAGER_STEPS, CudaGraph
from worker.training.listener import NullListener, Stop
from worker.training.loop import train
from worker.training.numerics import Numerics, apply, local_numerics, pin_threads
from worker.training.players import memory_format_of

PICTURES = 2_048
LOOSE = "forger, not deterministic"
CONTENDERS = ("forger", LOOSE, "limit", "plain 0 loaders", "plain 2 loaders")
SETTLE_S = 0.4
"""pause after each turn: the plain loop's loaders read some batches ahead, which would take time from the next turn"""
LONG = 10_000_000
"""steps of a budget that no run reaches"""


@dataclass(frozen=True)
class Case:
    name: str
    family: str
    side: int
    channels: int
    steps: int
    """steps of a turn"""
    classes: int = 0
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def two_domains(self) -> bool:
        return self.family == "cyclegan"

    def recipe(self, precision: str) -> Recipe:
        names = tuple(map(str, range(self.classes)))
        kind: Any = "unpaired" if self.two_domains else "images"
        info = DatasetInfo("noise", "Random pictures", kind, self.side, self.channels, names, PICTURES, "")
        fixed = {"budget": {"steps": LONG}, "checkpoint_every": LONG, "report_every": self.steps, "watch": None}
        overrides = self.overrides | fixed | {"precision": precision}
        return resolve(self.family, dataset="noise", seed=1, overrides=overrides, datasets={"noise": info})[1]


CASES = (
    Case("DCGAN, 64 px, batch 64", "dcgan", 64, 3, 4, overrides={"batch_size": 64}),
    Case(
        "cdcgan, 28 px, batch 64", "cdcgan", 28, 1, 10, classes=10,
        overrides={"penalties": [{"kind": "auxiliary", "critic_weight": 1, "generator_weight": 0.2}]},
    ),
    Case("CycleGAN, 128 px, 6 blocks, batch 1", "cyclegan", 128, 3, 2, overrides={"game": {"pool": 0}}),
    Case("WGAN-GP, 32 px, batch 64", "wgan_gp", 32, 3, 2, overrides={"batch_size": 64}),
)  # fmt: skip


class Contender:
    """A process that makes a case's steps on request, and the seconds of its turns."""

    def __init__(self, case: Case, name: str, precision: str, device: str) -> None:
        own = {"PYTHONPATH": str(CHECKOUT), **({} if name.startswith("plain") else TUNING_ENVIRONMENT)}
        free = {key: value for key, value in os.environ.items() if key not in TUNING_ENVIRONMENT}
        command = [sys.executable, "-P", "-m", "bench.train_speed", "--only", case.name, "--precision", precision]
        self._process = subprocess.Popen(
            [*command, "--device", device, "--contend", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=free | own, text=True,
        )  # fmt: skip
        self.seconds: list[float] = []

    def take_turn(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.seconds.append(float(self._process.stdout.readline()))

    def close(self) -> None:
        """Kill the process: a training with a huge budget does not end by itself."""
        self._process.kill()
        self._process.wait()


class Paced(NullListener):
    """A listener that lets the training continue for one turn at a time."""

    def __init__(self, steps: int) -> None:
        self._steps, self._step = steps, 0
        self._began = wait_for_turn()

    def beat(self, step: int) -> None:
        self._step = step

    def should_stop(self) -> Stop | None:
        """End the turn if its steps are done; called after each step, when it has been reported."""
        if self._step % self._steps == 0:
            report_seconds(time.perf_counter() - self._began)
            self._began = wait_for_turn()
        return None


def report_seconds(seconds: float) -> None:
    print(seconds, flush=True)


def wait_for_turn() -> float:
    """Wait for the next turn and return when it began; the process ends with its parent."""
    if not sys.stdin.readline():
        raise SystemExit
    return time.perf_counter()


def main() -> None:
    options = _options()
    cases = [case for case in CASES if options.only in case.name]
    if options.contend:
        contend(cases[0], options.contend, options.precision, options.device)
        return
    rows: list[Row] = []
    for case in cases:
        rows += measured(case, options.precision, options.device, 3 if options.quick else 15)
    show("Training: pictures per second", rows)
    write("train_speed", rows, options.json, precision=options.precision, device=options.device, quick=options.quick)
    print(f"Written to {options.json}")


def measured(case: Case, precision: str, device: str, rounds: int) -> Iterator[Row]:
    """Return the case's rows."""
    with ExitStack() as stack:
        contenders = {
            name: stack.enter_context(closing(Contender(case, name, precision, device))) for name in CONTENDERS
        }
        for _ in range(rounds + 1):
            for contender in contenders.values():
                contender.take_turn()
                time.sleep(SETTLE_S)
    done = case.steps * case.recipe(precision).batch_size
    each = {name: [done / seconds for seconds in of.seconds[1:]] for name, of in contenders.items()}  # one warmed up
    speed = {name: median(values) for name, values in each.items()}
    best = max(value for name, value in speed.items() if name.startswith("plain"))
    for name, values in each.items():
        low, _, high = quantiles(values, n=4)
        others = {"plain loop": best, "limit": speed["limit"], "not deterministic": speed[LOOSE]}
        against = {other: speed[name] / rate for other, rate in others.items()} if name == "forger" else {}
        yield Row(f"{case.name}: {name}", "pictures per second", speed[name], (high - low) / 2, len(values), against)
    print(case.name, {name: round(value, 1) for name, value in speed.items()}, flush=True)


def contend(case: Case, name: str, precision: str, device: str) -> None:
    """Run a contender's process: make a turn for each line of the input."""
    recipe, data = case.recipe(precision), pictures(case)
    if name.startswith("plain"):
        take_turns(plain(recipe, data, int(name.split()[1]), device).step, case.steps)
    numerics = local_numerics(device, recipe, threads=None)
    if name == "limit":
        torch.set_num_threads(numerics.threads)
        pin_threads(numerics)
        loop = limit(recipe, data, numerics)
        take_turns(loop.step if device == "cpu" else captured(loop), case.steps)
    apply(replace(numerics, deterministic=name != LOOSE))
    pin_threads(numerics)
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, data, Paced(case.steps), folder=Path(folder), attempt=1, resume=None, numerics=numerics)


def captured(loop: Loop) -> Callable[[], None]:
    """Return the loop's step as a CUDA graph."""

    def work() -> Losses:
        loop.step()
        return {}

    for _ in range(EAGER_STEPS):
        work()
    graph = CudaGraph()
    graph.capture(work)
    return graph.replay


def take_turns(step: Callable[[], None], steps: int) -> NoReturn:
    while True:
        began = wait_for_turn()
        for _ in range(steps):
            step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        report_seconds(time.perf_counter() - began)


def pictures(case: Case) -> Data:
    """Return noise as a dataset."""
    shape = (PICTURES, case.channels, case.side, case.side)
    chance = torch.Generator().manual_seed(1)
    first, second = (torch.randint(0, 256, shape, generator=chance, dtype=torch.uint8) for _ in range(2))
    if case.two_domains:
        return Data(a=first, b=second)
    return Data(images=first, labels=torch.arange(PICTURES) % case.classes if case.classes else None)


def limit(recipe: Recipe, data: Data, numerics: Numerics) -> Loop:
    """Yield one batch, again and again."""
    real = data.images if data.a is None else data.a
    assert real is not None
    beside = data.labels if data.b is None else scaled(data.b[: recipe.batch_size])
    device = numerics.device
    other = torch.zeros(()) if beside is None else beside[: recipe.batch_size]
    batch = scaled(real[: recipe.batch_size]).to(device), other.to(device)
    memory = memory_format_of(build(recipe).generator)
    return Loop(recipe, repeat(batch), True, numerics.precision == "bf16", memory, device)


def plain(recipe: Recipe, data: Data, workers: int, device: str) -> Loop:
    first, second = (
        None if array is None else array.permute(0, 2, 3, 1).numpy()
        for array in (data.images if data.a is None else data.a, data.b)
    )
    assert first is not None
    labels = np.zeros(len(first), np.int64) if data.labels is None else data.labels.numpy()
    dataset = Pictures(first, labels if second is None else second)
    return Loop(recipe, batches(dataset, recipe.batch_size, workers), device=device)


def _options() -> argparse.Namespace:
    parser = parser_of("train_speed", __doc__, "3 rounds instead of 15")
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="forger's and the limit's"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", metavar="WORD", default="", help="cases whose names contain it")
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)  # what the bench's own processes are
    return parser.parse_args()


if __name__ == "__main__":
    main()
