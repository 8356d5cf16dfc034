"""Results of an experiment as a text table."""

from forger.schemas import experiment_tables
from forger.wire import JobState
from tests.support.experiment_details import (
    FROM_EVALUATION,
    FROM_WATCH,
    build_cell,
    build_experiment,
    build_figure,
    build_job,
)


def test_cell_shows_mean_deviation_interval_and_count() -> None:
    assert experiment_tables.cell_text(build_cell("a", 7.93333, 0.1234, 5)) == "7.933 ± 0.12 [7.81, 8.057] (5)"
    assert experiment_tables.cell_text(build_cell("a", 0.5)) == "0.5 (1)"
    assert experiment_tables.cell_text(build_cell("a", None, n=0)) == "not finite"
    assert experiment_tables.cell_text(None) == "–"


def test_single_provenance_is_a_note_and_several_mark_their_columns() -> None:
    one = build_experiment(
        build_figure("frechet", "low", FROM_WATCH),
        build_figure("coverage", "high", FROM_WATCH),
        build_figure("odd", None, FROM_WATCH),
    )
    assert experiment_tables.head(one) == ["case", "frechet ↓", "coverage ↑", "odd"]
    assert experiment_tables.notes(one)[1:] == ["Measured while training."]
    two = build_experiment(build_figure("frechet", "low", FROM_WATCH), build_figure("frechet", "low", FROM_EVALUATION))
    assert experiment_tables.head(two) == ["case", "frechet [a] ↓", "frechet [b] ↓"]
    assert experiment_tables.notes(two)[1:] == ["[a] while training", "[b] evaluated, seed 0"]


def test_a_case_without_a_figure_has_an_empty_cell() -> None:
    table = build_experiment(
        build_figure("frechet", "low", FROM_WATCH, build_cell("b", 1.0)),
        build_figure("kid", "low", FROM_WATCH, build_cell("a", 2.0)),
    )
    assert [(case, [one and one.mean for one in cells]) for case, cells in experiment_tables.rows(table)] == [
        ("a", [None, 2.0]),
        ("b", [1.0, None]),
    ]


def test_title_counts_jobs_by_state() -> None:
    assert experiment_tables.title(build_experiment()) == "ring: 3 succeeded, 1 failed"
    assert experiment_tables.title(build_experiment(name=None)).startswith("exp_0: ")


def test_a_table_without_figures_says_whether_there_will_be_any() -> None:
    assert experiment_tables.notes(build_experiment(jobs=[build_job("a", JobState.RUNNING)])) == [
        "Nothing is measured yet."
    ]
    (ended,) = experiment_tables.notes(build_experiment(jobs=[build_job("a", JobState.FAILED)]))
    assert ended.startswith("Nothing was measured")


def test_notes_count_troubled_jobs_by_case() -> None:
    jobs = [build_job("a", JobState.SUCCEEDED, "collapse"), build_job("a", JobState.SUCCEEDED, "collapse"),
            build_job("a", JobState.SUCCEEDED), build_job("b", JobState.SUCCEEDED, "undertrained")]  # fmt: skip
    notes = experiment_tables.notes(build_experiment(build_figure("frechet", "low", FROM_WATCH), jobs=jobs))
    assert notes[-2:] == ["a: collapse in 2 of its jobs.", "b: undertrained in 1 of its jobs."]
