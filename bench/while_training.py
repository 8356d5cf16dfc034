"""How much do /sample and a training slow each other down on one machine?

    python -m bench.while_training [--quick] [--json FILE]

A service trains a job while clients draw 20 pictures per second from a DCGAN for 28 px. For comparison, the same
clients without a training, and the same training without clients, take turns with it. Figures, medians over the turns:

- p50, p99: milliseconds of /sample at a steady rate of requests (a late reply does not delay later requests)
- steps per second of the training

`against` is the ratio of p99 during a training to p99 without, and of steps with clients to steps without.
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
"""requests per second"""
TRAINING: dict[str, Any] = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 1_000_000}, "seed": 1}
WARM_S = 5.0


def main() -> None:
    options = parser_of("while_training", __doc__, "2 turns of 5 s instead of 5 of 20 s").parse_args()
    seconds, turns = (5.0, 2) if options.quick else (20.0, 5)
    with tempfile.TemporaryDirectory() as folder:
        home, _ = dcgan_of_noise(Path(folder))
        with service(home) as forger:
            alone, beside, speed_alone, speed_beside = measure(forger, seconds, turns)
    results = list(rows(alone, beside, speed_alone, speed_beside))
    show(f"/sample at {RATE} requests per second, and a training", results)
    write("while_training", results, options.json, rate=RATE, quick=options.quick)
    print(f"Written to {options.json}")


def measure(
    forger: Forger, seconds: float, turns: int
) -> tuple[list[Answers], list[Answers], list[float], list[float]]:
    """Return the replies without and during a training, and the steps per second without and with clients."""
    port, seeds = urlsplit(forger.url).port or 80, itertools.count(1)
    alone, beside, speed_alone, speed_beside = list[Answers](), list[Answers](), list[float](), list[float]()
    send_requests(port, seeds, WARM_S)
    for _ in range(turns):
        alone.append(send_requests(port, seeds, seconds))
        with training(forger) as job:
            speed_alone.append(steps_per_second(job, lambda: time.sleep(seconds)))
            speed_beside.append(steps_per_second(job, lambda: beside.append(send_requests(port, seeds, seconds))))
    return alone, beside, speed_alone, speed_beside


def send_requests(port: int, seeds: Iterator[int], seconds: float) -> Answers:
    requests = (GET.format(path=f"/sample?model=dcgan-noise&seed={seed}").encode() for seed in seeds)
    return asyncio.run(steady(port, requests, RATE, seconds))


@contextmanager
def training(forger: Forger) -> Iterator[Job]:
    """Yield a job that has already trained for a while."""
    job = forger.train(**TRAINING)
    while not job.refresh().reply.progress.step:
        time.sleep(0.2)
    time.sleep(WARM_S)
    try:
        yield job
    finally:
        job.cancel()
        job.wait()


def steps_per_second(job: Job, meanwhile: Callable[[], None]) -> float:
    """Return the job's steps per second while `meanwhile` runs."""
    before, began = job.refresh().reply.progress.step, time.perf_counter()
    meanwhile()
    return (job.refresh().reply.progress.step - before) / (time.perf_counter() - began)


def rows(
    alone: list[Answers], beside: list[Answers], speed_alone: list[float], speed_beside: list[float]
) -> Iterator[Row]:
    idle, busy = (median(turn.quantile(0.99) for turn in turns) for turns in (alone, beside))
    for case, turns, against in (("no training", alone, {}), ("a training", beside, {"no training": busy / idle})):
        yield Row(case, "p50 ms", 1000 * median(turn.quantile(0.5) for turn in turns), n=len(turns))
        yield Row(case, "p99 ms", 1000 * median(turn.quantile(0.99) for turn in turns), n=len(turns), against=against)
        yield Row(case, "refused", sum(len(turn.refused) for turn in turns))
    yield Row("no clients", "steps per second", median(speed_alone), n=len(speed_alone))
    slowed = {"no clients": median(speed_beside) / median(speed_alone)}
    yield Row("clients", "steps per second", median(speed_beside), n=len(speed_beside), against=slowed)


if __name__ == "__main__":
    main()
