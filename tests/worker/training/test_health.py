"""Health: each kind of trouble is found in evaluations that show it, and not in those that only look similar."""

from dataclasses import replace
from typing import Any

import pytest

from worker.training.health import LiveEvaluation, troubles

GOOD: dict[str, float] = {"frechet": 10, "coverage": 0.6, "pixel_variety": 1.0, "copies": 0.0}
POOR: dict[str, float] = {"frechet": 400, "coverage": 0.05, "pixel_variety": 0.9, "copies": 0.0}


def history(*evaluations: tuple[dict[str, float], float | None]) -> list[LiveEvaluation]:
    """Return evaluations with these figures and critic accuracies, at steps 100, 200, ..."""
    return [
        LiveEvaluation(100 * number, figures, critic_accuracy)
        for number, (figures, critic_accuracy) in enumerate(evaluations, start=1)
    ]


def kinds(evaluations: list[LiveEvaluation], metric: str = "frechet", steps: int = 1_000) -> list[str]:
    return [trouble.kind for trouble in troubles(evaluations, metric, steps)]


def repeated(figures: dict[str, float], critic_accuracy: float | None, count: int = 8) -> list[LiveEvaluation]:
    return history(*[(figures, critic_accuracy)] * count)


REPEATING = GOOD | {"pixel_variety": 0.3}


@pytest.mark.parametrize(
    ("evaluations", "metric", "expected"),
    [
        (repeated(GOOD, 0.7), "frechet", []),
        (repeated(GOOD, 0.999), "frechet", []),
        (repeated(GOOD, 0.5), "frechet", []),
        (repeated(REPEATING, 0.99), "frechet", ["collapse"]),
        (repeated(REPEATING, 0.8), "frechet", []),
        (history((GOOD, 0.8), (GOOD, 0.8), (GOOD, 0.8), (REPEATING, 0.8)), "frechet", []),
        (history((GOOD, 0.8), (GOOD, 0.8), (REPEATING, 0.8), (REPEATING, 0.8)), "frechet", ["collapse"]),
        (
            repeated({"divergence": 2.1, "modes": 1, "high_quality": 1, "reverse_kl": 2.08}, 0.7),
            "divergence",
            ["collapse"],
        ),
        (repeated({"valid": 0.9, "distinct": 0.01}, 0.7), "valid", ["collapse"]),
        (repeated(POOR, 0.51), "frechet", ["converged_but_fails", "critic_too_weak", "no_progress"]),
        (repeated(POOR, 0.999), "frechet", ["critic_saturated", "no_progress"]),
        (repeated(POOR, None), "frechet", ["no_progress"]),
        (repeated(GOOD | {"copies": 0.5}, 0.7), "frechet", ["memorising"]),
        (repeated({"psnr": 20}, 0.7), "psnr", []),
    ],
)
def test_troubles_follow_from_figures_and_critic_accuracy(
    evaluations: list[LiveEvaluation], metric: str, expected: list[str]
) -> None:
    assert kinds(evaluations, metric) == expected


def test_critic_is_not_saturated_while_the_metric_improves() -> None:
    falling = [(POOR | {"frechet": 800 * 0.8**number}, 0.999) for number in range(8)]
    assert kinds(history(*falling)) == []


def test_oscillation_is_reported_only_far_from_the_data() -> None:
    swinging: list[tuple[dict[str, float], float | None]] = [
        (POOR | {"frechet": value}, 0.8) for value in (900, 300, 800, 250, 900, 240, 880)
    ]
    assert kinds(history(*swinging)) == ["oscillation"]
    near_the_data = [(GOOD | {"frechet": figures["frechet"] / 100}, accuracy) for figures, accuracy in swinging]
    assert kinds(history(*near_the_data)) == []


def test_collapse_is_reported_only_after_the_first_evaluations() -> None:
    assert kinds(repeated(REPEATING, 0.99, 2)) == []
    assert kinds(repeated(REPEATING, 0.99, 3)) == ["collapse"]


def test_only_evaluation_of_a_budget_can_report_collapse_or_undertraining() -> None:
    assert kinds(history((REPEATING, 0.99)), steps=100) == ["collapse"]
    assert kinds(history((POOR, 0.99)), steps=100) == ["undertrained"]
    assert kinds(history((POOR | {"pixel_variety": 0.1}, 0.99)), steps=100) == ["undertrained"]
    assert kinds(history((GOOD, 0.99)), steps=100) == []


def test_undertrained_is_reported_at_the_end_unless_another_trouble_explains_it() -> None:
    improving = history((POOR | {"frechet": 900}, 0.9), (POOR, 0.9))
    assert kinds(improving, steps=200) == ["undertrained"]
    assert kinds(improving) == []
    assert kinds(repeated(POOR, None), steps=800) == ["no_progress"]


def test_evaluations_before_a_roll_back_do_not_count() -> None:
    collapsed = repeated(REPEATING, 0.99, 5)
    rolled_back = [*collapsed[:-1], LiveEvaluation(500, REPEATING, 0.99, rolled_back=True)]
    assert kinds(rolled_back) == []
    assert kinds([*rolled_back, LiveEvaluation(600, REPEATING, 0.99)]) == []
    assert kinds([*rolled_back, LiveEvaluation(600, REPEATING, 0.99), LiveEvaluation(700, REPEATING, 0.99)]) == [
        "collapse"
    ]


@pytest.mark.parametrize(
    ("figures", "critic_accuracy"), [(REPEATING, 0.99), (POOR, 0.5), (POOR, 1.0), (GOOD | {"copies": 1}, 0.7)]
)
def test_every_trouble_has_a_message_in_whole_sentences(figures: dict[str, Any], critic_accuracy: float) -> None:
    for trouble in troubles(repeated(figures, critic_accuracy), "frechet", 1_000):
        assert trouble.message.endswith(".")
        assert len(trouble.message) > 60
        assert "nan" not in trouble.message


def test_translations_are_far_from_the_data_if_no_nearer_than_untouched_inputs() -> None:
    """Their scenes differ from those of the compared pile, so even good translations cover little of it."""
    near = [LiveEvaluation(100 * number, POOR | {"frechet": 90.0}, 0.7, untouched=150.0) for number in range(1, 11)]
    assert kinds(near) == []
    far = [replace(evaluation, untouched=60.0) for evaluation in near]
    assert kinds(far) == ["no_progress"]
    (trouble,) = troubles(far[-1:], "frechet", 1_000)
    assert trouble.kind == "undertrained"
    assert "their Fréchet distance of features is 90, and without translation it is 60" in trouble.message
