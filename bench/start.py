"""How soon is the service ready, and how soon does a job make its first step?

    python -m bench.start [--quick] [--json FILE]

Each round starts a service in a new home: `forger serve` until /readyz replies 200, jobs until their first steps, a
model and the first /sample, and `forger serve` again, now with a model. Figures, medians over the rounds with half the
distance between quartiles as spread:

- seconds: wall-clock time. For a job, from POST /jobs to the first step; its parts are listed below it, from the job's
  events and from the line `first_step` in the runner's log
- cpu seconds: of the import, in a fresh interpreter
- PSS MB, RSS MB: of the API's process alone

`against` is the ratio to the goal, and to the time of `import torch` and of `import fastapi, uvicorn` in the same
rounds, which a busy machine slows down as well.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles

import httpx2 as httpx
import psutil

from bench.options import parser_of
from bench.results import CHECKOUT, Row, show, write
from examples.demo import service
from forger import Forger, Job, wire
from forger.wire import JobState

LOOK_S = 0.01
PATIENCE_S = 300
"""that a busy machine may need"""
JOBS = {
    "gan on ring8": ("gan", "ring8"),
    "cdcgan on digits": ("cdcgan", "digits"),
}
PARTS = ("queue", "process", "imports", "settling", "data", "preparing", "first_step")
IMPORTS = {
    "import app.main": "app.main",
    "import torch": "torch",
    "import fastapi, uvicorn": "fastapi, uvicorn",
}
NEW, OLD = "forger serve, a new home", "forger serve, with a model"
APP, TORCH, WEB = IMPORTS
GOALS = {
    (NEW, "seconds"): 3.0,
    (OLD, "seconds"): 3.0,
    (APP, "seconds"): 0.8,
    ("API without a model", "PSS MB"): 150.0,
    ("API without a model", "RSS MB"): 150.0,
    **{(name, "seconds"): 5.0 for name in JOBS},
}
YARDSTICKS = {APP: WEB, NEW: WEB} | dict.fromkeys((OLD, *JOBS), TORCH)

Key = tuple[str, str]
"""case and figure"""


def main() -> None:
    options = parser_of("start", __doc__, "2 rounds instead of 7").parse_args()
    measured: dict[Key, list[float]] = defaultdict(list)
    for number in range(2 if options.quick else 7):
        for key, value in a_round():
            measured[key].append(value)
        print(f"round {number + 1}:", *(f"{key[0]} {measured[key][-1]:.2f}" for key in GOALS if key in measured))
    results = list(rows(measured))
    show("Start", results)
    write("start", results, options.json, quick=options.quick)
    print(f"Written to {options.json}")


def rows(measured: Mapping[Key, Sequence[float]]) -> Iterator[Row]:
    """Yield a row for each case and figure; needs at least two rounds."""
    for (case, figure), values in measured.items():
        low, _, high = quantiles(values, n=4)
        value, against = median(values), dict[str, float]()
        if goal := GOALS.get((case, figure)):
            against[f"goal {goal:g} {figure.split()[-1].replace('seconds', 's')}"] = value / goal
        if yardstick := YARDSTICKS.get(case):
            against[yardstick] = value / median(measured[yardstick, figure])
        yield Row(case, figure, value, (high - low) / 2, len(values), against)


def a_round() -> Iterator[tuple[Key, float]]:
    """Make one round and yield each figure as soon as it is measured."""
    for name, modules in IMPORTS.items():
        seconds, cpu = imported(modules)
        yield (name, "seconds"), seconds
        yield (name, "cpu seconds"), cpu
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with serving(home) as (forger, seconds):
            yield (NEW, "seconds"), seconds
            yield from memory("API without a model", home)
            for name, (family, dataset) in JOBS.items():
                yield from until_the_first_step(name, forger.train(family, dataset=dataset, seed=1), home)
            forger.train("gan", dataset="ring8", seed=1, budget={"steps": 3}).wait()
            began = time.perf_counter()
            forger.sample(seed=1)
            yield ("the first /sample", "seconds"), time.perf_counter() - began
            yield from memory("API after the first /sample", home)
        with serving(home) as (_, seconds):
            yield (OLD, "seconds"), seconds


def imported(modules: str) -> tuple[float, float]:
    """Return the seconds and the processor seconds that a fresh interpreter takes to import the modules."""
    clocks = "time.perf_counter(), time.process_time()"
    program = f"import time; a, b = {clocks}; import {modules}; c, d = {clocks}; print(c - a, d - b)"
    command = [sys.executable, "-P", "-c", program]
    output = subprocess.run(command, cwd=CHECKOUT, env=_path(), check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds, cpu = map(float, output.split())
    return seconds, cpu


def _path() -> dict[str, str]:
    return {"PYTHONPATH": str(CHECKOUT), "GOMP_SPINCOUNT": "0"}


@contextmanager
def serving(home: Path) -> Iterator[tuple[Forger, float]]:
    """Start the service; yield its client and the seconds until it was ready."""
    began = time.perf_counter()
    with service(home) as forger:
        _until_ready(forger.url)
        yield forger, time.perf_counter() - began


def _until_ready(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with httpx.Client(base_url=url) as client:
        while time.monotonic() < deadline:
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:  # the socket is bound before the API runs; between two homes it is not
                pass
            time.sleep(LOOK_S)
    raise SystemExit(f"The service at {url} was not ready within {PATIENCE_S} s.")


def memory(case: str, home: Path) -> Iterator[tuple[Key, float]]:
    """Yield the memory of the API. Its proportional share (PSS) can be read only by root."""
    service_file = json.loads((home / wire.SERVICE_FILE).read_text())
    api = next(child for child in psutil.Process(service_file["pid"]).children() if "uvicorn" in child.cmdline())
    yield (case, "RSS MB"), api.memory_info().rss / 1e6
    try:
        yield (case, "PSS MB"), api.memory_full_info().pss / 1e6
    except psutil.AccessDenied:
        print("PSS is left out: only root may read that of this process.")


def until_the_first_step(case: str, job: Job, home: Path) -> Iterator[tuple[Key, float]]:
    """Yield the seconds from the job's creation to its first step, and their parts; then cancel the job."""
    line = _first_step(home / "logs" / f"{job.id}-1.log")
    job.cancel()
    job.wait()
    at = {str(event.data.get("state")): event.at for event in reversed(list(job.events())) if event.type == "state"}
    queued, claimed = at[JobState.QUEUED], at[JobState.RUNNING]
    stepped = datetime.fromisoformat(line["timestamp"]).timestamp()
    inside = {part: float(line[f"{part}_s"]) for part in PARTS if f"{part}_s" in line}
    parts = {"queue": claimed - queued, "process": stepped - claimed - sum(inside.values()), **inside}
    yield (case, "seconds"), stepped - queued
    for part in PARTS:
        yield (f"{case}: {part}", "seconds"), parts.get(part, 0.0)


def _first_step(log: Path) -> dict[str, str]:
    """Return the line of that name in the runner's log."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines() if log.exists() else ():
            if '"first_step"' in line and line.endswith("}"):
                results: dict[str, str] = json.loads(line)
                return results
        time.sleep(LOOK_S)
    raise SystemExit(f"The job made no step within {PATIENCE_S} s; its log is {log}.")


if __name__ == "__main__":
    main()
