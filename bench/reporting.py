"""How much of its time does a training spend reporting?

    python -m bench.reporting [--quick] [--json FILE]

A runner trains `gan` on ring8 in this process, with a separate database and no other load: alternately with forty
reports in all, the default, and with a report every ten steps. Figures, medians over the runs:

- steps per second
- reporting: share of the run's time in which the training creates reports and passes them on, waits included
- behind: processor seconds in which a separate thread draws and writes them, over the run's seconds
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from app.core.settings import get_settings
from app.db import migrate
from app.services.creation import train
from app.services.job_spec import Train
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from bench.options import parser_of
from bench.results import Row, show, write
from models.spec.resolve import resolve
from worker.runners.report_writer import DrawJson, DrawPng, JobWrite, ReportWriter
from worker.runners.supervisor_link import SupervisorLink
from worker.runners.train import TrainRunner

if TYPE_CHECKING:
    from worker.training.listener import StepReport

CADENCES: dict[str, dict[str, Any]] = {"forty reports": {}, "a report every ten steps": {"report_every": 10}}


class Alone(SupervisorLink):
    """The link of a runner without a supervisor."""

    def beat(self, step: int, *, now: bool = False) -> None:
        pass


class Timed(ReportWriter):
    """`spent` is the training's time for reports, `behind` the processor time of the thread, both in seconds."""

    spent = behind = 0.0

    def add_report(
        self,
        step: int,
        values: Mapping[str, float | None],
        draw: DrawPng | None = None,
        probe: DrawJson | None = None,
    ) -> None:
        began = time.perf_counter()
        super().add_report(step, values, draw, probe)
        self.spent += time.perf_counter() - began

    def add_write(self, note: JobWrite) -> None:
        began = time.perf_counter()
        super().add_write(note)
        self.spent += time.perf_counter() - began

    def flush(self) -> None:
        began = time.perf_counter()
        super().flush()
        self.spent += time.perf_counter() - began

    def _run(self) -> None:
        super()._run()
        self.behind = time.thread_time()


class Watched(TrainRunner):
    """Measure the creation of a report: the loop sends a heartbeat after each step, and reports next."""

    def __init__(self, job: JobView) -> None:
        assert isinstance(job.spec, Train)
        super().__init__(job, job.spec, 1, Alone())
        self.reports = self._reports = Timed(partial(attempts.record_reports, job.id, 1))
        self.making, self.first, self.last = 0.0, 0.0, 0.0

    def beat(self, step: int) -> None:
        self.last = time.perf_counter()
        self.first = self.first or (self.last if step else 0.0)

    def report(self, report: "StepReport") -> None:
        self.making += time.perf_counter() - self.last
        super().report(report)


def main() -> None:
    options = parser_of("reporting", __doc__, "2 runs of 2,000 steps instead of 5 of 10,000").parse_args()
    steps, runs = (2_000, 2) if options.quick else (10_000, 5)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CADENCES}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"FORGER_HOME": folder, "FORGER_THREADS": "1", "FORGER_LOG_LEVEL": "error"}
        get_settings.cache_clear()
        migrate.upgrade()
        for _ in range(runs):
            for name, overrides in CADENCES.items():
                found[name].append(run(steps, overrides))
                print(name, {figure: round(value, 4) for figure, value in found[name][-1].items()}, flush=True)
    rows = list(rows_of(found))
    show(f"Reporting, {steps} steps", rows)
    write("reporting", rows, options.json, steps=steps, quick=options.quick)
    print(f"Written to {options.json}")


def run(steps: int, overrides: dict[str, Any]) -> dict[str, float]:
    """Make one run and return its figures."""
    own = overrides | {"watch": None}
    family, recipe = resolve("gan", dataset="ring8", seed=1, budget={"steps": steps}, overrides=own)
    job = lifecycle.create(train.of_recipe(recipe, family, "reporting"))
    assert attempts.claim(job.id, "bench") is not None
    runner = Watched(job)
    runner.run()
    assert lifecycle.get(job.id).step == steps
    seconds = runner.last - runner.first
    return {
        "steps per second": steps / seconds,
        "reporting": (runner.making + runner.reports.spent) / seconds,
        "behind": runner.reports.behind / seconds,
    }


def rows_of(found: dict[str, list[dict[str, float]]]) -> Iterator[Row]:
    for case, runs in found.items():
        for figure in runs[0]:
            values = sorted(run[figure] for run in runs)
            yield Row(case, figure, median(values), (values[-1] - values[0]) / 2, len(values))


if __name__ == "__main__":
    main()
