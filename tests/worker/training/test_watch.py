"""The watch: what is best, when patience ends, what a policy does; all of it survives a restart."""

from collections.abc import Sequence
from typing import Any

import pytest

from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training.health import LiveEvaluation, Trouble
from worker.training.watch import BestEvaluation, Watch

GRAVE = Trouble("collapse", "It drew one thing only.", serious=True)
LIGHT = Trouble("no_progress", "Nothing got better.", serious=False)


def recipe(**watch: Any) -> Recipe:
    return resolve("cdcgan", dataset="digits", budget={"steps": 1_000}, overrides={"watch": {"every": 50, **watch}})[1]


def watched(values: Sequence[float | None], **watch: Any) -> Watch:
    made = Watch(recipe(**watch))
    for number, value in enumerate(values, start=1):
        made.add(LiveEvaluation(50 * number, {} if value is None else {"frechet": value, "coverage": 1 / value}))
    return made


def test_the_best_has_the_lowest_distance_or_the_highest_coverage_and_of_equal_ones_learned_longest() -> None:
    assert watched([5, 3, None, 3, 4]).best == BestEvaluation(200, "frechet", 3)
    assert watched([5, 3, 3, 4], metric="coverage").best == BestEvaluation(150, "coverage", 1 / 3)
    assert watched([None]).best is None


def test_the_card_says_why_with_all_figures_of_that_step() -> None:
    served = watched([5, 3, 4]).served()
    assert served is not None
    assert served.reason == "Step 100 of 150: its Fréchet distance of features, 3, is the lowest of 3 evaluations."
    assert served.figures == {"frechet": 3, "coverage": 1 / 3}
    assert watched([None]).served() is None


def test_a_checkpoint_of_the_version_before_is_read_with_the_names_of_today() -> None:
    entry = {"step": 50, "figures": {"frechet": 20.0, "variety": 0.2}, "told_apart": 0.99, "rolled_back": False}
    state = Watch(recipe()).state_dict() | {"history": [entry]}
    resumed = Watch(recipe())
    resumed.load_state_dict(state, None)
    assert resumed.history == [LiveEvaluation(50, {"frechet": 20.0, "pixel_variety": 0.2}, critic_accuracy=0.99)]


def collapsing() -> Watch:
    """Good until step 850, and then the same picture again and again."""
    made = watched([9 - number / 4 for number in range(17)])
    for step in (900, 950, 1_000):
        made.add(LiveEvaluation(step, {"frechet": 20.0, "coverage": 0.3, "pixel_variety": 0.2}, critic_accuracy=0.99))
    return made


def test_health_is_what_the_newest_evaluation_shows() -> None:
    assert Watch(recipe()).health() is None
    well = watched([5, 3]).health()
    assert well is not None
    assert (well.state, well.kind, well.step) == ("healthy", None, 100)
    assert well.message == "No trouble is seen after 2 evaluations: its Fréchet distance of features is 3."
    ill = collapsing().health()
    assert ill is not None
    assert (ill.state, ill.kind, ill.step) == ("troubled", "collapse", 1_000)


def test_what_is_served_from_before_a_collapse_is_healthy_and_says_what_came_later() -> None:
    served = collapsing().served()
    assert served is not None
    assert served.best.step == 850
    assert (served.health.state, served.health.kind, served.health.step) == ("healthy", None, 850)
    assert "Later, at step 1000: The generator repeats itself" in served.health.message


def test_what_is_served_is_judged_as_if_the_budget_had_ended_there() -> None:
    fog = Watch(recipe())
    for number in range(1, 4):
        fog.add(LiveEvaluation(100 * number, {"frechet": 300.0 + number, "coverage": 0.02, "pixel_variety": 1.0}, 0.9))
    served = fog.served()
    assert served is not None
    assert (served.health.state, served.health.kind, served.health.step) == ("troubled", "undertrained", 100)


def test_weights_that_had_learned_little_tell_why_the_training_went_nowhere() -> None:
    saturated = Watch(recipe())
    for number in range(1, 7):
        figures = {"frechet": 300.0 + number, "coverage": 0.02, "pixel_variety": 1.0}
        saturated.add(LiveEvaluation(100 * number, figures, critic_accuracy=1.0))
    served = saturated.served()
    assert served is not None
    assert (served.health.state, served.health.kind, served.health.step) == ("troubled", "critic_saturated", 100)


def test_patience_counts_evaluations_after_the_best() -> None:
    patient = watched([5, 3, 4, 4], patience=3)
    assert not patient.decide([])
    assert patient.ending is None
    impatient = watched([5, 3, 4, 4, 3.5], patience=3)
    assert not impatient.decide([])
    assert impatient.ending is not None
    assert impatient.ending.code == "stopped_early"
    assert "step 100, 3" in impatient.ending.message


def test_patience_that_ends_with_the_budget_is_no_early_end() -> None:
    late = watched([1] + [2] * 19, patience=3)
    assert late.history[-1].step == 1_000
    late.decide([])
    assert late.ending is None


@pytest.mark.parametrize(
    ("policy", "found", "goes_back", "code"),
    [
        ("warn", [GRAVE], False, None),
        ("stop", [GRAVE], False, "stopped_by_watch"),
        ("stop", [LIGHT], False, None),
        ("roll_back", [LIGHT, GRAVE], True, None),
        ("roll_back", [LIGHT], False, None),
    ],
)
def test_only_grave_trouble_moves_a_policy(
    policy: str, found: list[Trouble], goes_back: bool, code: str | None
) -> None:
    watch = watched([3, 4], policy=policy)
    assert watch.decide(found) is goes_back
    assert (watch.ending and watch.ending.code) == code


def test_roll_backs_slow_down_and_end() -> None:
    watch = watched([3, 4], policy="roll_back", roll_backs=2, slower=0.5)
    assert "step 50" in watch.rolled_back()
    assert watch.history[-1].rolled_back
    assert watch.rate_multiplier == 0.5
    watch.add(LiveEvaluation(150, {"frechet": 9}))
    watch.rolled_back()
    assert watch.rate_multiplier == 0.25
    assert not watch.decide([GRAVE])
    assert watch.ending is None


def test_patience_counts_anew_after_a_roll_back() -> None:
    watch = watched([3, 4, 5], policy="roll_back", patience=3)
    watch.rolled_back()
    watch.add(LiveEvaluation(200, {"frechet": 6}))
    watch.decide([])
    assert watch.ending is None


def test_trouble_before_an_extension_is_told_again_after_it() -> None:
    copied = {"frechet": 3.0, "copies": 1.0}
    watch = Watch(recipe(policy="stop"))
    told = [watch.add(LiveEvaluation(step, copied)) for step in (50, 100, 150)]
    assert [[trouble.kind for trouble in found] for found in told] == [[], ["memorising"], []]
    extended = Watch(watch.recipe)
    extended.load_state_dict(watch.state_dict(), 150)
    told = [extended.add(LiveEvaluation(step, copied)) for step in (200, 250)]
    assert [[trouble.kind for trouble in found] for found in told] == [[], ["memorising"]]


def test_what_is_saved_is_what_is_read_and_an_extension_forgets_the_end() -> None:
    watch = watched([3, 4, 5], patience=2)
    watch.decide([])
    assert watch.ending is not None
    again, extended = Watch(watch.recipe), Watch(watch.recipe)
    again.load_state_dict(watch.state_dict(), None)
    assert again == watch
    extended.load_state_dict(watch.state_dict(), 150)
    assert extended.ending is None
    assert extended.best == watch.best
    extended.add(LiveEvaluation(200, {"frechet": 6}))
    extended.decide([])
    assert extended.ending is None  # one evaluation since the extension
