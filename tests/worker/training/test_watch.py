"""The watch: the best checkpoint, patience, and policies against trouble; all of it survives a restart."""

from collections.abc import Sequence
from typing import Any

import pytest

from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training.health import LiveEvaluation, Trouble
from worker.training.watch import BestEvaluation, Watch

SERIOUS = Trouble("collapse", "It drew one thing only.", serious=True)
LIGHT = Trouble("no_progress", "Nothing got better.", serious=False)


def recipe(**watch: Any) -> Recipe:
    return resolve("cdcgan", dataset="digits", budget={"steps": 1_000}, overrides={"watch": {"every": 50, **watch}})[1]


def watched(values: Sequence[float | None], **options: Any) -> Watch:
    watch = Watch(recipe(**options))
    for number, value in enumerate(values, start=1):
        watch.add(LiveEvaluation(50 * number, {} if value is None else {"frechet": value, "coverage": 1 / value}))
    return watch


def test_best_evaluation_has_the_best_metric_and_is_the_latest_of_equals() -> None:
    assert watched([5, 3, None, 3, 4]).best == BestEvaluation(200, "frechet", 3)
    assert watched([5, 3, 3, 4], metric="coverage").best == BestEvaluation(150, "coverage", 1 / 3)
    assert watched([None]).best is None


def test_served_checkpoint_has_a_reason_and_all_figures_of_its_step() -> None:
    served = watched([5, 3, 4]).served()
    assert served is not None
    assert served.reason == "Step 100 of 150: its Fréchet distance of features, 3, is the lowest of 3 evaluations."
    assert served.figures == {"frechet": 3, "coverage": 1 / 3}
    assert watched([None]).served() is None


def test_state_of_the_previous_version_is_loaded_with_the_new_names() -> None:
    entry = {"step": 50, "figures": {"frechet": 20.0, "variety": 0.2}, "told_apart": 0.99, "rolled_back": False}
    state = Watch(recipe()).state_dict() | {"history": [entry]}
    resumed = Watch(recipe())
    resumed.load_state_dict(state, None)
    assert resumed.history == [LiveEvaluation(50, {"frechet": 20.0, "pixel_variety": 0.2}, critic_accuracy=0.99)]


def collapsing() -> Watch:
    """Return a watch of a training that improves until step 850 and then collapses."""
    watch = watched([9 - number / 4 for number in range(17)])
    for step in (900, 950, 1_000):
        watch.add(LiveEvaluation(step, {"frechet": 20.0, "coverage": 0.3, "pixel_variety": 0.2}, critic_accuracy=0.99))
    return watch


def test_health_describes_the_newest_evaluation() -> None:
    assert Watch(recipe()).health() is None
    healthy = watched([5, 3]).health()
    assert healthy is not None
    assert (healthy.state, healthy.kind, healthy.step) == ("healthy", None, 100)
    assert healthy.message == "No trouble is seen after 2 evaluations: its Fréchet distance of features is 3."
    troubled = collapsing().health()
    assert troubled is not None
    assert (troubled.state, troubled.kind, troubled.step) == ("troubled", "collapse", 1_000)


def test_checkpoint_from_before_a_collapse_is_healthy_and_mentions_the_collapse() -> None:
    served = collapsing().served()
    assert served is not None
    assert served.best.step == 850
    assert (served.health.state, served.health.kind, served.health.step) == ("healthy", None, 850)
    assert "Later, at step 1000: The generator repeats itself" in served.health.message


def test_served_checkpoint_is_judged_as_if_the_budget_had_ended_there() -> None:
    undertrained = Watch(recipe())
    for number in range(1, 4):
        undertrained.add(
            LiveEvaluation(100 * number, {"frechet": 300.0 + number, "coverage": 0.02, "pixel_variety": 1.0}, 0.9)
        )
    served = undertrained.served()
    assert served is not None
    assert (served.health.state, served.health.kind, served.health.step) == ("troubled", "undertrained", 100)


def test_undertrained_checkpoint_gets_the_later_trouble_that_explains_it() -> None:
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


def test_patience_that_ends_with_the_budget_is_not_an_early_end() -> None:
    late = watched([1] + [2] * 19, patience=3)
    assert late.history[-1].step == 1_000
    late.decide([])
    assert late.ending is None


@pytest.mark.parametrize(
    ("policy", "troubles", "rolls_back", "code"),
    [
        ("warn", [SERIOUS], False, None),
        ("stop", [SERIOUS], False, "stopped_by_watch"),
        ("stop", [LIGHT], False, None),
        ("roll_back", [LIGHT, SERIOUS], True, None),
        ("roll_back", [LIGHT], False, None),
    ],
)
def test_only_serious_trouble_triggers_a_policy(
    policy: str, troubles: list[Trouble], rolls_back: bool, code: str | None
) -> None:
    watch = watched([3, 4], policy=policy)
    assert watch.decide(troubles) is rolls_back
    assert (watch.ending and watch.ending.code) == code


def test_roll_backs_lower_the_rate_and_are_limited_in_number() -> None:
    watch = watched([3, 4], policy="roll_back", roll_backs=2, slower=0.5)
    assert "step 50" in watch.rolled_back()
    assert watch.history[-1].rolled_back
    assert watch.rate_multiplier == 0.5
    watch.add(LiveEvaluation(150, {"frechet": 9}))
    watch.rolled_back()
    assert watch.rate_multiplier == 0.25
    assert not watch.decide([SERIOUS])
    assert watch.ending is None


def test_patience_restarts_after_a_roll_back() -> None:
    watch = watched([3, 4, 5], policy="roll_back", patience=3)
    watch.rolled_back()
    watch.add(LiveEvaluation(200, {"frechet": 6}))
    watch.decide([])
    assert watch.ending is None


def test_trouble_from_before_an_extension_is_reported_again_after_it() -> None:
    copies = {"frechet": 3.0, "copies": 1.0}
    watch = Watch(recipe(policy="stop"))
    reported = [watch.add(LiveEvaluation(step, copies)) for step in (50, 100, 150)]
    assert [[trouble.kind for trouble in troubles] for troubles in reported] == [[], ["memorising"], []]
    extended = Watch(watch.recipe)
    extended.load_state_dict(watch.state_dict(), 150)
    reported = [extended.add(LiveEvaluation(step, copies)) for step in (200, 250)]
    assert [[trouble.kind for trouble in troubles] for troubles in reported] == [[], ["memorising"]]


def test_saved_watch_is_restored_and_an_extension_clears_its_early_end() -> None:
    watch = watched([3, 4, 5], patience=2)
    watch.decide([])
    assert watch.ending is not None
    restored, extended = Watch(watch.recipe), Watch(watch.recipe)
    restored.load_state_dict(watch.state_dict(), None)
    assert restored == watch
    extended.load_state_dict(watch.state_dict(), 150)
    assert extended.ending is None
    assert extended.best == watch.best
    extended.add(LiveEvaluation(200, {"frechet": 6}))
    extended.decide([])
    assert extended.ending is None  # one evaluation since the extension
