"""The table of an experiment as words."""

from collections.abc import Sequence
from typing import Any

from forger.schemas import experiment_tables
from forger.schemas.base import Health
from forger.schemas.experiments import ExperimentDetail, ExperimentJob, FigureOut
from forger.schemas.figures import CellOut
from forger.wire import JobState

OWN, LATER = {"by": "watch"}, {"by": "evaluation"}


def figure(name: str, better: Any, provenance: dict[str, Any], *cells: CellOut) -> FigureOut:
    told = "while training" if provenance is OWN else "evaluated, seed 0"
    return FigureOut(
        name=name,
        title=name,
        better=better,
        provenance=provenance,
        provenance_text=told,
        citation=name,
        cases=list(cells),
    )


def cell(case: str, mean: float | None, deviation: float | None = None, n: int = 1, *, best: bool = False) -> CellOut:
    interval = None if mean is None or deviation is None else (mean - deviation, mean + deviation)
    return CellOut(case=case, mean=mean, deviation=deviation, interval=interval, n=n, best=best)


def job(case: str, state: JobState, trouble: str | None = None) -> ExperimentJob:
    health = Health(state="troubled" if trouble else "healthy", kind=trouble, step=9, message="It was looked at.")
    return ExperimentJob(
        id="job_0", case=case, seed=1, state=state, step=9, total=9, model=None, health=health, href="/jobs/job_0"
    )


def experiment(*figures: FigureOut, name: str | None = "ring", jobs: Sequence[ExperimentJob] = ()) -> ExperimentDetail:
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


def test_cells_say_mean_spread_and_number() -> None:
    assert experiment_tables.cell_text(cell("a", 7.93333, 0.1234, 5)) == "7.933 ± 0.12 [7.81, 8.057] (5)"
    assert experiment_tables.cell_text(cell("a", 0.5)) == "0.5 (1)"
    assert experiment_tables.cell_text(cell("a", None, n=0)) == "not finite"
    assert experiment_tables.cell_text(None) == "–"


def test_one_provenance_is_named_below_and_several_have_marks() -> None:
    one = experiment(figure("frechet", "low", OWN), figure("coverage", "high", OWN), figure("odd", None, OWN))
    assert experiment_tables.head(one) == ["case", "frechet ↓", "coverage ↑", "odd"]
    assert experiment_tables.notes(one)[1:] == ["Measured while training."]
    two = experiment(figure("frechet", "low", OWN), figure("frechet", "low", LATER))
    assert experiment_tables.head(two) == ["case", "frechet [a] ↓", "frechet [b] ↓"]
    assert experiment_tables.notes(two)[1:] == ["[a] while training", "[b] evaluated, seed 0"]


def test_a_case_without_a_figure_has_an_empty_cell() -> None:
    table = experiment(figure("frechet", "low", OWN, cell("b", 1.0)), figure("kid", "low", OWN, cell("a", 2.0)))
    assert [(case, [one and one.mean for one in cells]) for case, cells in experiment_tables.rows(table)] == [
        ("a", [None, 2.0]),
        ("b", [1.0, None]),
    ]


def test_titles_count_states() -> None:
    assert experiment_tables.title(experiment()) == "ring: 3 succeeded, 1 failed"
    assert experiment_tables.title(experiment(name=None)).startswith("exp_0: ")


def test_a_table_without_figures_says_whether_there_will_be_any() -> None:
    assert experiment_tables.notes(experiment(jobs=[job("a", JobState.RUNNING)])) == ["Nothing is measured yet."]
    (ended,) = experiment_tables.notes(experiment(jobs=[job("a", JobState.FAILED)]))
    assert ended.startswith("Nothing was measured")


def test_troubles_are_counted_by_case() -> None:
    jobs = [job("a", JobState.SUCCEEDED, "collapse"), job("a", JobState.SUCCEEDED, "collapse"),
            job("a", JobState.SUCCEEDED), job("b", JobState.SUCCEEDED, "undertrained")]  # fmt: skip
    told = experiment_tables.notes(experiment(figure("frechet", "low", OWN), jobs=jobs))
    assert told[-2:] == ["a: collapse in 2 of its jobs.", "b: undertrained in 1 of its jobs."]
