"""What do the probes of a training cost?

    python -m bench.probe [--quick] [--json FILE]

A runner trains in this process, on a database of its own and on one thread: `gan` on ring8 and `dcgan` on digits. In
turns it takes 40 steps with a report after each, with probes and without, and 40 steps with one report. The difference
of the first two is what 40 probes take, as many as a job has. Divided by what the steps of a default training take, as
the third run tells, it is the part that probes add to such a training. To tell so small a part from other work on the
machine, whole runs would have to be repeated hundreds of times. Figures, medians over the rounds:

- clock: by the clock, until the last report is written
- processor: by the processor time of the process, the thread that writes included. Other work disturbs it less
"""

import os
import tempfile
import time
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from app.core.settings import get_settings
from app.db import migrate
from app.services.creation import train
from app.services.jobs import attempts, lifecycle
from bench.options import parser_of
from bench.reporting import Watched
from bench.results import Row, show, write
from models.spec.resolve import resolve
from worker.training.loop import MAX_SAMPLE_SHEETS

if TYPE_CHECKING:
    from models.checkpoint import SavedCheckpoint
    from worker.training.listener import StepReport

CASES = {"gan on ring8": ("gan", "ring8"), "dcgan on digits": ("dcgan", "digits")}
STEPS = MAX_SAMPLE_SHEETS
"""steps of a run, as many as a job has probes"""


@dataclass(frozen=True)
class Seconds:
    """Seconds by the clock and of the processor."""

    clock: float
    processor: float

    @classmethod
    def now(cls) -> "Seconds":
        return cls(time.perf_counter(), time.process_time())


class Measured(Watched):
    """A runner that notes when its first step begins and when its last report is written."""

    begin = end = Seconds(0, 0)

    def saved(self, saved: "SavedCheckpoint") -> None:
        super().saved(saved)
        if saved.step == 0:
            self.begin = Seconds.now()

    def report(self, report: "StepReport") -> None:
        super().report(report)
        if report.step == STEPS:
            self.reports.flush()
            self.end = Seconds.now()

    @property
    def seconds(self) -> Seconds:
        return Seconds(self.end.clock - self.begin.clock, self.end.processor - self.begin.processor)


def main() -> None:
    options = parser_of("probe", __doc__, "3 rounds instead of 25").parse_args()
    rounds, rows = 3 if options.quick else 25, list[Row]()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"FORGER_HOME": folder, "FORGER_THREADS": "1", "FORGER_LOG_LEVEL": "error"}
        get_settings.cache_clear()
        migrate.upgrade()
        for case, (family, dataset) in CASES.items():
            _round(family, dataset)  # a warm-up
            shares = list[Seconds]()
            for _ in range(rounds):
                shares.append(_round(family, dataset))
                print(f"{case}: {shares[-1].clock:.4f} by the clock, {shares[-1].processor:.4f} processor", flush=True)
            for figure in ("clock", "processor"):
                values = [getattr(share, figure) for share in shares]
                low, _, high = quantiles(values, n=4)
                rows.append(Row(case, figure, median(values), (high - low) / 2, rounds))
    show("What probes add to a default training", rows)
    write("probe", rows, options.json, quick=options.quick, load_after=round(os.getloadavg()[0], 1))
    print(f"Written to {options.json}")


def _round(family: str, dataset: str) -> Seconds:
    """Return what 40 probes take, as a share of what the steps of a default training take."""
    default = resolve(family, dataset=dataset)[1].budget.steps
    probed, plain, bare = (
        _run(family, dataset, report_every=every, probe=probe)
        for every, probe in ((1, True), (1, False), (STEPS, False))
    )
    return Seconds(
        (probed.clock - plain.clock) / (bare.clock * default / STEPS),
        (probed.processor - plain.processor) / (bare.processor * default / STEPS),
    )


def _run(family: str, dataset: str, **own: Any) -> Seconds:
    changes = own | {"watch": None, "checkpoint_every": STEPS}
    recipe = resolve(family, dataset=dataset, seed=1, budget={"steps": STEPS}, overrides=changes)[1]
    job = lifecycle.create(train.of_recipe(recipe, family, "probe"))
    assert attempts.claim(job.id, "bench") is not None
    runner = Measured(job)
    runner.run()
    assert len(lifecycle.artifacts(job.id, "probe")) == (STEPS if recipe.probe else 0)
    return runner.seconds


if __name__ == "__main__":
    main()
