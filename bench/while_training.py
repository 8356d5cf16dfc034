"""What do /sample and a training cost each other on one machine?

    python -m bench.while_training [--quick] [--json FILE]

A service trains a job while clients draw 20 pictures a second from a DCGAN for 28 px; the two take turns with the same
clients without a training, and the same training without clients. Figures, medians over the turns:

- p50, p99: milliseconds, of /sample at a steady rate, whatever the server does (a late answer delays no later question)
- steps per second of the training

`against` holds ratios: of p99 beside a training to p99 without, and of steps with clients to steps without.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from bench.load import Answers, steady
from bench.options import parser_of
from bench.results import Row, show, write
from bench.sample_latency import GET
from bench.trained import dcgan_of_noise
from examples.demo import service
from forger import Forger, Job

RATE = 20
"""questions a second"""
TRAINING: dict[str, Any] = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 1_000_000}, "seed": 1}
WARM_S = 5.0


def main() -> None:
    options = parser_of("while_training", __doc__, "2 turns of 5 s instead of 5 of 20 s").parse_args()
    seconds, turns = (5.0, 2) if options.quick else (20.0, 5)
    with tempfile.TemporaryDirectory() as folder:
        home, _ = dcgan_of_noise(Path(folder))
        with service(home) as forger:
            alone, beside, unasked, asked = measure(forger, seconds, turns)
    found = list(rows(alone, beside, unasked, asked))
    show(f"/sample at {RATE} questions a second, and a training", found)
    write("while_training", found, options.json, rate=RATE, quick=options.quick)
    print(f"Written to {options.json}")


def measure(
    forger: Forger, seconds: float, turns: int
) -> tuple[list[Answers], list[Answers], list[float], list[float]]:
    """Answers without and beside a training; steps a second without and with clients."""
    port, seeds = urlsplit(forger.url).port or 80, itertools.count(1)
    alone, beside, unasked, asked = list[Answers](), list[Answers](), list[float](), list[float]()
    ask(port, seeds, WARM_S)
    for _ in range(turns):
        alone.append(ask(port, seeds, seconds))
        with training(forger) as job:
            unasked.append(pace(job, lambda: time.sleep(seconds)))
            asked.append(pace(job, lambda: beside.append(ask(port, seeds, seconds))))
    return alone, beside, unasked, asked


def ask(port: int, seeds: Iterator[int], seconds: float) -> Answers:
    asks = (GET.format(path=f"/sample?model=dcgan-noise&seed={seed}").encode() for seed in seeds)
    return asyncio.run(steady(port, asks, RATE, seconds))


@contextmanager
def training(forger: Forger) -> Iterator[Job]:
    """A job that has trained for a while already."""
    job = forger.train(**TRAINING)
    while not job.refresh().reply.progress.step:
        time.sleep(0.2)
    time.sleep(WARM_S)
    try:
        yield job
    finally:
        job.cancel()
        job.wait()


def pace(job: Job, meanwhile: Callable[[], None]) -> float:
    """Steps a second."""
    before, began = job.refresh().reply.progress.step, time.perf_counter()
    meanwhile()
    return (job.refresh().reply.progress.step - before) / (time.perf_counter() - began)


def rows(alone: list[Answers], beside: list[Answers], unasked: list[float], asked: list[float]) -> Iterator[Row]:
    idle, busy = (median(turn.quantile(0.99) for turn in turns) for turns in (alone, beside))
    for case, turns, against in (("no training", alone, {}), ("a training", beside, {"no training": busy / idle})):
        yield Row(case, "p50 ms", 1000 * median(turn.quantile(0.5) for turn in turns), n=len(turns))
        yield Row(case, "p99 ms", 1000 * median(turn.quantile(0.99) for turn in turns), n=len(turns), against=against)
        yield Row(case, "refused", sum(len(turn.refused) for turn in turns))
    yield Row("no clients", "steps per second", median(unasked), n=len(unasked))
    slowed = {"no clients": median(asked) / median(unasked)}
    yield Row("clients", "steps per second", median(asked), n=len(asked), against=slowed)


if __name__ == "__main__":
    main()
