"""Replies of experiments, built without a service."""

from collections.abc import Sequence
from typing import Any

from forger.schemas.base import Health
from forger.schemas.experiments import ExperimentDetail, ExperimentJob, FigureOut
from forger.schemas.figures import CellOut
from forger.wire import JobState

FROM_WATCH, FROM_EVALUATION = {"by": "watch"}, {"by": "evaluation"}
"""provenances of figures"""


def build_figure(name: str, better: Any, provenance: dict[str, Any], *cells: CellOut) -> FigureOut:
    provenance_text = "while training" if provenance is FROM_WATCH else "evaluated, seed 0"
    return FigureOut(
        name=name,
        title=name,
        better=better,
        provenance=provenance,
        provenance_text=provenance_text,
        citation=name,
        cases=list(cells),
    )


def build_cell(
    case: str, mean: float | None, deviation: float | None = None, n: int = 1, *, best: bool = False
) -> CellOut:
    interval = None if mean is None or deviation is None else (mean - deviation, mean + deviation)
    return CellOut(case=case, mean=mean, deviation=deviation, interval=interval, n=n, best=best)


def build_job(case: str, state: JobState, trouble: str | None = None) -> ExperimentJob:
    health = Health(state="troubled" if trouble else "healthy", kind=trouble, step=9, message="It was looked at.")
    return ExperimentJob(
        id="job_0", case=case, seed=1, state=state, step=9, total=9, model=None, health=health, href="/jobs/job_0"
    )


def build_experiment(
    *figures: FigureOut, name: str | None = "ring", jobs: Sequence[ExperimentJob] = ()
) -> ExperimentDetail:
    """Return an experiment of the cases a and b, of whose jobs three have succeeded and one has failed."""
    return ExperimentDetail(
        id="exp_0",
        name=name,
        created_at=0,
        states={JobState.SUCCEEDED: 3, JobState.FAILED: 1},
        cases=["a", "b"],
        links={},
        request={},
        jobs=list(jobs),
        figures=list(figures),
    )
