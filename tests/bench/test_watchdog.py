"""The bench of the watch: its sixteen runs, and verdicts from recorded evaluations."""

import pytest

from bench import watchdog
from bench.watchdog import EXPECTED, HEALTHY, cases, history, reports_of, right
from worker.training.health import LiveEvaluation


def test_bench_watches_the_six_lecture_runs_and_ten_healthy_ones() -> None:
    plan = cases(quick=False)
    assert [case.expected for case in plan if case.expected] == [
        EXPECTED[case.name] for case in plan[:6] if case.expected
    ]
    assert len(plan) == 6 + len(HEALTHY) == 16
    assert all(case.recipe.watch is not None for case in plan)
    assert len(cases(quick=True)) == 6 + watchdog.FEW


def test_history_is_restored_from_recorded_figures() -> None:
    recorded = {"200/frechet": 3.0, "100/frechet": 4.0, "100/critic_accuracy": 0.7, "cost": 0.02}
    assert list(history(recorded)) == [
        LiveEvaluation(100, {"frechet": 4.0}, 0.7),
        LiveEvaluation(200, {"frechet": 3.0}),
    ]


def test_run_that_repeats_itself_is_reported_as_collapse() -> None:
    recipe = cases(quick=False)[4].recipe
    steps = range(recipe.budget.steps // 10, recipe.budget.steps + 1, recipe.budget.steps // 10)
    figures = {f"{step}/{name}": value for step in steps for name, value in REPEATING.items()}
    assert list(reports_of(recipe, figures | {"cost": 0.0})) == ["collapse"]


REPEATING = {"frechet": 9.0, "coverage": 0.5, "pixel_variety": 0.2, "critic_accuracy": 0.99}


@pytest.mark.parametrize(
    ("expected", "reported", "is_right"),
    [
        (None, {}, True),
        (None, {"oscillation": 5}, False),
        ("collapse", {"collapse": 5}, True),
        ("collapse", {}, False),
        ("converged_but_fails", {"converged_but_fails": 5, "critic_too_weak": 4}, True),
        ("converged_but_fails", {"converged_but_fails": 5, "collapse": 4}, False),
    ],
)
def test_verdict_allows_light_trouble_beside_the_expected_one(
    expected: str | None, reported: dict[str, int], is_right: bool
) -> None:
    assert right(expected, reported) == is_right
