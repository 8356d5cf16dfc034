"""Each trouble is told from evaluations that show it, and not from those of runs that only look like it."""

from dataclasses import replace
from typing import Any

import pytest

from worker.training.health import LiveEvaluation, troubles

GOOD: dict[str, float] = {"frechet": 10, "coverage": 0.6, "pixel_variety": 1.0, "copies": 0.0}
POOR: dict[str, float] = {"frechet": 400, "coverage": 0.05, "pixel_variety": 0.9, "copies": 0.0}


def history(*seen: tuple[dict[str, float], float | None]) -> list[LiveEvaluation]:
    return [LiveEvaluation(100 * number, figures, apart) for number, (figures, apart) in enumerate(seen, start=1)]


def kinds(evaluations: list[LiveEvaluation], metric: str = "frechet", steps: int = 1_000) -> list[str]:
    return [trouble.kind for trouble in troubles(evaluations, metric, steps)]


def many(figures: dict[str, float], apart: float | None, count: int = 8) -> list[LiveEvaluation]:
    return history(*[(figures, apart)] * count)


REPEATING = GOOD | {"pixel_variety": 0.3}


@pytest.mark.parametrize(
    ("evaluations", "metric", "told"),
    [
        (many(GOOD, 0.7), "frechet", []),
        (many(GOOD, 0.999), "frechet", []),
        (many(GOOD, 0.5), "frechet", []),
        (many(REPEATING, 0.99), "frechet", ["collapse"]),
        (many(REPEATING, 0.8), "frechet", []),
        (history((GOOD, 0.8), (GOOD, 0.8), (GOOD, 0.8), (REPEATING, 0.8)), "frechet", []),
        (history((GOOD, 0.8), (GOOD, 0.8), (REPEATING, 0.8), (REPEATING, 0.8)), "frechet", ["collapse"]),
        (many({"divergence": 2.1, "modes": 1, "high_quality": 1, "reverse_kl": 2.08}, 0.7), "divergence", ["collapse"]),
        (many({"valid": 0.9, "distinct": 0.01}, 0.7), "valid", ["collapse"]),
        (many(POOR, 0.51), "frechet", ["converged_but_fails", "critic_too_weak", "no_progress"]),
        (many(POOR, 0.999), "frechet", ["critic_saturated", "no_progress"]),
        (many(POOR, None), "frechet", ["no_progress"]),
        (many(GOOD | {"copies": 0.5}, 0.7), "frechet", ["memorising"]),
        (many({"psnr": 20}, 0.7), "psnr", []),
    ],
)
def test_troubles_are_told_by_what_is_drawn(evaluations: list[LiveEvaluation], metric: str, told: list[str]) -> None:
    assert kinds(evaluations, metric) == told


def test_what_still_gets_better_is_not_saturated() -> None:
    falling = [(POOR | {"frechet": 800 * 0.8**number}, 0.999) for number in range(8)]
    assert kinds(history(*falling)) == []


def test_a_figure_that_swings_is_told_when_it_is_far_off() -> None:
    swinging: list[tuple[dict[str, float], float | None]] = [
        (POOR | {"frechet": value}, 0.8) for value in (900, 300, 800, 250, 900, 240, 880)
    ]
    assert kinds(history(*swinging)) == ["oscillation"]
    assert kinds(history(*[(GOOD | {"frechet": seen["frechet"] / 100}, apart) for seen, apart in swinging])) == []


def test_the_young_may_draw_one_thing_only() -> None:
    assert kinds(many(REPEATING, 0.99, 2)) == []
    assert kinds(many(REPEATING, 0.99, 3)) == ["collapse"]


def test_a_budget_with_one_evaluation_is_judged_by_it() -> None:
    assert kinds(history((REPEATING, 0.99)), steps=100) == ["collapse"]
    assert kinds(history((POOR, 0.99)), steps=100) == ["undertrained"]
    assert kinds(history((POOR | {"pixel_variety": 0.1}, 0.99)), steps=100) == ["undertrained"]
    assert kinds(history((GOOD, 0.99)), steps=100) == []


def test_who_is_far_from_the_data_at_the_end_is_told_so_unless_the_cause_is_known() -> None:
    improving = history((POOR | {"frechet": 900}, 0.9), (POOR, 0.9))
    assert kinds(improving, steps=200) == ["undertrained"]
    assert kinds(improving) == []
    assert kinds(many(POOR, None), steps=800) == ["no_progress"]


def test_what_was_seen_before_a_roll_back_is_over() -> None:
    collapsed = many(REPEATING, 0.99, 5)
    taken_back = [*collapsed[:-1], LiveEvaluation(500, REPEATING, 0.99, rolled_back=True)]
    assert kinds(taken_back) == []
    assert kinds([*taken_back, LiveEvaluation(600, REPEATING, 0.99)]) == []
    assert kinds([*taken_back, LiveEvaluation(600, REPEATING, 0.99), LiveEvaluation(700, REPEATING, 0.99)]) == [
        "collapse"
    ]


@pytest.mark.parametrize(
    ("figures", "apart"), [(REPEATING, 0.99), (POOR, 0.5), (POOR, 1.0), (GOOD | {"copies": 1}, 0.7)]
)
def test_every_trouble_says_what_was_seen_and_what_to_try(figures: dict[str, Any], apart: float) -> None:
    for trouble in troubles(many(figures, apart), "frechet", 1_000):
        assert trouble.message.endswith(".")
        assert len(trouble.message) > 60
        assert "nan" not in trouble.message


def test_translations_are_far_where_they_come_no_nearer_than_untouched() -> None:
    """They show other scenes than the pile they are held against, and cover little of it however good they are."""
    near = [LiveEvaluation(100 * number, POOR | {"frechet": 90.0}, 0.7, untouched=150.0) for number in range(1, 11)]
    assert kinds(near) == []
    far = [replace(seen, untouched=60.0) for seen in near]
    assert kinds(far) == ["no_progress"]
    (trouble,) = troubles(far[-1:], "frechet", 1_000)
    assert trouble.kind == "undertrained"
    assert "their Fréchet distance of features is 90, and without translation it is 60" in trouble.message
