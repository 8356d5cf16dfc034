"""The rules of the room for lectures, called in the browser: the nearest run, a size that fits, checked answers."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.service import Service
from tests.web.conftest import Studio

CALL = """async ([module, name, args]) => {
  const { Curves } = await import("/studio/curves.js");
  const revived = (value) => {
    if (Array.isArray(value)) return value.map(revived);
    if (value === null || typeof value !== "object" || !("points" in value)) return value;
    const curves = new Curves();
    curves.read(Object.entries(value.points).map(([curve, points]) => ({ name: curve, points, thinned: false })));
    return { job: value.job, curves };
  };
  return (await import(`/studio/${module}.js`))[name](...args.map(revived));
}"""
Call = Callable[..., Any]
DCGAN: dict[str, Any] = {
    "data": {"kind": "images"}, "generator": {"kind": "dcgan", "norm": "batch"},
    "critic": {"kind": "dcgan", "norm": "batch"}, "objective": {"kind": "non_saturating", "smoothing": 0}, "seed": 1,
}  # fmt: skip
CRITIC = "critic/non_saturating"


@pytest.fixture
def call(studio: Studio) -> Call:
    """Call an exported function; objects with `points` become runs."""
    page: Page = studio.goto("system")
    return lambda module, name, *args: page.evaluate(CALL, [module, name, list(args)])


def run(points: dict[str, list[list[float]]], kind: str | None = None, **recipe: Any) -> dict[str, Any]:
    state = "healthy" if kind is None else "troubled"
    return {"job": {"health": {"state": state, "kind": kind}, "recipe": DCGAN | recipe}, "points": points}


def figures(generator: float, critic: float, **last: float) -> dict[str, list[list[float]]]:
    """Return the curves of a run that ends like this; `critic` is halved, as a course writes it."""
    curves = {"generator/non_saturating": [[10, generator]], CRITIC: [[10, 2 * critic]]}
    gauges = {"critic_accuracy"}
    return curves | {f"{'gauge' if name in gauges else 'figure'}/{name}": [[10, value]] for name, value in last.items()}


MLP: dict[str, Any] = {"generator": {"kind": "mlp", "norm": "none"}, "critic": {"kind": "mlp"}}
SMOOTHED: dict[str, Any] = {"objective": {"kind": "non_saturating", "smoothing": 0.1}}
PLAIN: dict[str, Any] = {"generator": {"kind": "dcgan", "norm": "none"}, "critic": {"kind": "dcgan", "norm": "none"}}
SIGNATURES = {
    # measured on digits: 300 steps of the lecture's run, and 600 steps of the failing one
    "mode_collapse": run(
        figures(1.9, 0.19, pixel_variety=0.204, critic_accuracy=0.999, coverage=0.078),
        "collapse", generator=MLP["generator"],
    ),
    "converges_but_fails": run(
        figures(0.67, 0.70, pixel_variety=0.456, critic_accuracy=0.655, coverage=0.031), "undertrained",
        critic={"kind": "mlp", "hidden": [4]},
    ),
    "mlp": run(figures(1.01, 0.63, pixel_variety=0.8, critic_accuracy=0.75, coverage=0.5), **MLP),
    "not_great": run(figures(0.78, 0.65, pixel_variety=0.8, critic_accuracy=0.7, coverage=0.4), **PLAIN),
    "good": run(figures(0.80, 0.64, pixel_variety=0.9, critic_accuracy=0.7, coverage=0.7)),
    "good_with_smoothing": run(figures(1.03, 0.56, pixel_variety=0.9, critic_accuracy=0.7, coverage=0.7), **SMOOTHED),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNATURES)
def test_each_run_of_the_lecture_is_nearest_to_itself(call: Call, name: str) -> None:
    assert call("signature", "nearest", call("run_facts", "factsOf", SIGNATURES[name]))["name"] == name


def test_reason_names_what_fits_what_does_not_and_what_was_not_measured(call: Call) -> None:
    collapsed = run(figures(0.8, 0.6, pixel_variety=0.3), "collapse")
    match = call("signature", "nearest", call("run_facts", "factsOf", collapsed))
    sentence = call("signature", "reason", "Mode collapse", match)
    assert "the watch reports collapse; generated pictures lie 0.30 times as far from each other" in sentence
    assert "What does not fit: the losses at the end, generator / critic, are 0.80 / 0.60: " in sentence
    assert "Not measured: how many pairs the critic orders correctly." in sentence


def test_losses_of_another_objective_are_no_sign(call: Call) -> None:
    wasserstein = run({"generator/wasserstein": [[10, 0.69]]}, objective={"kind": "wasserstein"})
    facts = call("run_facts", "factsOf", wasserstein)
    assert (facts["generatorLoss"], facts["criticLoss"]) == (None, None)
    minimax = run({"generator/minimax": [[10, -0.69]], "critic/minimax": [[10, 1.39]]}, objective={"kind": "minimax"})
    assert call("run_facts", "factsOf", minimax)["generatorLoss"] is None


def test_collapse_of_points_is_told_by_their_modes(call: Call) -> None:
    points = run(
        {"figure/reverse_kl": [[10, 1.4]], "figure/high_quality": [[10, 0.9]]},
        "collapse",
        data={"kind": "points"},
        **MLP,
    )
    assert call("signature", "nearest", call("run_facts", "factsOf", points))["name"] == "mode_collapse"


def test_reported_collapse_outweighs_losses_at_ln_2(call: Call) -> None:
    """Measured on the ring, with a critic of sixteen units."""
    points = {
        "figure/reverse_kl": [[10, 2.08]],
        "figure/high_quality": [[10, 0.0]],
        "gauge/critic_accuracy": [[10, 0.65]],
    }
    ring = run(figures(0.74, 0.69) | points, "collapse", data={"kind": "points"}, **MLP)
    assert call("signature", "nearest", call("run_facts", "factsOf", ring))["name"] == "mode_collapse"


def test_job_of_which_nothing_speaks_for_any_run_has_no_nearest(call: Call) -> None:
    unlike = run(
        {"figure/reverse_kl": [[10, 0.9]], "figure/high_quality": [[10, 0.9]]}, "oscillation",
        data={"kind": "points"}, objective={"kind": "wasserstein"}, **MLP,
    )  # fmt: skip
    match = call("signature", "nearest", call("run_facts", "factsOf", unlike))
    assert match is None


def test_losses_at_the_end_are_means_over_the_last_fifth(call: Call) -> None:
    falling = run({CRITIC: [[step, float(step)] for step in range(1, 11)]})
    assert call("run_facts", "endLoss", falling, "critic") == 9.5


def test_penalties_are_no_part_of_the_losses_that_are_compared(call: Call) -> None:
    penalised = run({CRITIC: [[10, 1.4]], "critic/r1": [[10, 9.0]]})
    assert call("run_facts", "endLoss", penalised, "critic") == 1.4
    two_domains = run({f"{CRITIC}_a": [[10, 1.0]], f"{CRITIC}_b": [[10, 1.4]]})
    assert call("run_facts", "endLoss", two_domains, "critic") == 1.2


@pytest.mark.parametrize(
    ("few", "all_", "minutes", "steps"),
    [
        ((100, 0.5), (2400, 12), 3, 600),
        ((100, 2.5), (2400, 14), 1, 100),
        ((100, 0.1), (2400, 1.5), 10, 2400),
        ((100, None), (2400, None), 1, 240),
        ((100, 0.5), (2400, 12), None, 2400),
    ],
)
def test_steps_fit_into_the_minutes_that_the_service_estimates(
    call: Call, few: tuple[int, float], all_: tuple[int, float], minutes: float | None, steps: int
) -> None:
    sizes = [dict(zip(("steps", "minutes"), size, strict=True)) for size in (few, all_)]
    assert call("lecture_size", "fittingSteps", *sizes, minutes) == steps


def verdict(call: Call, rule: str, answer: Any, *runs: Any, more: tuple[Any, ...] = ()) -> tuple[bool, str]:
    reply = call("course_rules", rule, answer, list(runs), *more)
    return reply["right"], reply["text"]


def test_loss_of_a_fooled_critic_is_twice_ln_2(call: Call) -> None:
    trained = run({CRITIC: [[10, 1.31]]})
    good, text = verdict(call, "fooledCritic", round(2 * math.log(2), 3), trained)
    assert good
    assert "your run the critic's loss is 1.31: below it" in text
    for answer, hint in ((0.693, "adds the losses on real and on generated"), (1.31, "ideal critic"), (7, "D = 1/2")):
        good, text = verdict(call, "fooledCritic", answer, trained)
        assert not good
        assert hint in text


def test_modes_are_covered_well_when_half_of_the_points_lie_near_one(call: Call) -> None:
    trained = run({
        "figure/modes": [[100, 6], [200, 8], [300, 8], [400, 8]],
        "figure/high_quality": [[100, 0.01], [200, 0.1], [300, 0.55], [400, 0.7]],
    })  # fmt: skip
    good, text = verdict(call, "coveredWell", 300, trained)
    assert good
    assert "At step 200 all 8 were drawn too, but only 10 % of the points" in text
    assert "only 10 % of the points" in verdict(call, "coveredWell", 200, trained)[1]
    assert "not the first" in verdict(call, "coveredWell", 400, trained)[1]
    assert "evaluated at 100, 200, 300, 400" in verdict(call, "coveredWell", 150, trained)[1]
    never = run({"figure/modes": [[100, 7]], "figure/high_quality": [[100, 0.9]]})
    assert "Train longer" in verdict(call, "coveredWell", 100, never)[1]


def divergence(value: float, **recipe: Any) -> dict[str, Any]:
    return run({"figure/divergence": [[100, 3.0], [200, value]]}, **recipe)


def test_distance_of_two_seeds_is_read_from_these_runs(call: Call) -> None:
    pair = divergence(1.2, seed=1), divergence(1.05, seed=2)
    assert verdict(call, "seedDifference", 0.15, *pair)[0]
    assert not verdict(call, "seedDifference", 0.3, *pair)[0]
    assert "without a sign" in verdict(call, "seedDifference", -0.15, *pair)[1]
    assert "different seeds" in verdict(call, "seedDifference", 0.15, pair[0], pair[0])[1]


def test_lower_divergence_counts_only_where_it_exceeds_what_the_seed_does(call: Call) -> None:
    minimax = {"objective": {"kind": "minimax"}}
    seeds = divergence(0.4), divergence(0.6, seed=2)
    good, text = verdict(call, "lowerDivergence", "first", *seeds, divergence(0.8, **minimax))
    assert good
    assert "0.4 apart. The seed alone moves it by 0.2. That speaks for one of them, but" in text
    assert "wider than that" in verdict(call, "lowerDivergence", "second", *seeds, divergence(0.8, **minimax))[1]
    assert verdict(call, "lowerDivergence", "second", *seeds, divergence(0.1, **minimax))[0]
    assert verdict(call, "lowerDivergence", "neither", *seeds, divergence(0.5, **minimax))[0]
    assert "as much or more" in verdict(call, "lowerDivergence", "first", *seeds, divergence(0.5, **minimax))[1]
    assert "one of another" in verdict(call, "lowerDivergence", "first", *seeds, divergence(0.8))[1]


def test_equal_losses_prove_a_fooled_critic_only(call: Call) -> None:
    trained = run(figures(0.69, 0.69, critic_accuracy=0.6, coverage=0.03))
    good, text = verdict(call, "equalLosses", "fooled", trained)
    assert good
    assert "orders 60 % of pairs correctly, and coverage is 0.03" in text
    assert "far from the data" in verdict(call, "equalLosses", "good", trained)[1]
    assert not verdict(call, "equalLosses", "collapsed", trained)[0]


def test_variety_is_read_from_this_run(call: Call) -> None:
    trained = run(figures(1.9, 0.2, pixel_variety=0.204, critic_accuracy=0.999), "collapse")
    assert verdict(call, "varietyOf", 0.2, trained)[0]
    assert "share of correct pairs" in verdict(call, "varietyOf", 1.0, trained)[1]
    assert not verdict(call, "varietyOf", 0.5, trained)[0]
    healthy = run(figures(0.8, 0.6, pixel_variety=0.9, critic_accuracy=0.7))
    assert "has not collapsed" in verdict(call, "varietyOf", 0.9, healthy)[1]


def test_floor_of_a_smoothed_critic_is_the_entropy_of_its_target(call: Call) -> None:
    trained = run({CRITIC: [[10, 1.2], [20, 0.8], [30, 1.3]]}, **SMOOTHED)
    good, text = verdict(call, "floorOfSmoothing", 0.325, trained)
    assert good
    assert "−0.9 ln 0.9 − 0.1 ln 0.1 = 0.325" in text
    assert "The least loss of your critic is 0.8." in text
    for answer, hint in (
        (0.163, "half of it"),
        (0.8, "least loss of your critic"),
        (0, "without smoothing"),
        (5, "−t ln"),
    ):
        good, text = verdict(call, "floorOfSmoothing", answer, trained)
        assert not good
        assert hint in text
    assert "not smoothed" in verdict(call, "floorOfSmoothing", 0.325, run({CRITIC: [[10, 1.2]]}))[1]


def test_no_answer_is_checked_before_the_trainings_have_ended(call: Call, service: Service) -> None:
    job = {"state": "running", "progress": {"step": 30, "total": 800}}
    assert call("exercises", "blocked", [None], ["The ring"]).startswith("Train “The ring” first")
    assert "step 30 of 800" in call("exercises", "blocked", [{"job": job}], ["The ring"])
    assert "is failed" in call("exercises", "blocked", [{"job": job | {"state": "failed"}}], ["The ring"])
    assert call("exercises", "blocked", [{"job": job | {"state": "succeeded"}}], ["The ring"]) == ""


def test_change_mends_a_collapse_if_all_modes_are_drawn_and_none_is_reported(call: Call) -> None:
    def ring(modes: float, reverse_kl: float, kind: str | None = None) -> dict[str, Any]:
        return run({"figure/modes": [[100, modes]], "figure/reverse_kl": [[100, reverse_kl]]}, kind)

    lost, mended, cloud = ring(1, 1.2, "collapse"), ring(8, 0.01), ring(3, 0.3)
    changes = (["smoothed labels", "an R1 penalty"],)
    good, text = verdict(call, "mended", "2", lost, cloud, mended, more=changes)
    assert good
    assert "Modes at the end: 1 before; 3 with smoothed labels; 8 with an R1 penalty. Only this change" in text
    assert not verdict(call, "mended", "1", lost, cloud, mended, more=changes)[0]
    assert not verdict(call, "mended", "none", lost, cloud, mended, more=changes)[0]
    assert verdict(call, "mended", "none", lost, cloud, cloud, more=changes)[0]
    assert "More than one change" in verdict(call, "mended", "1", lost, mended, mended, more=changes)[1]
    assert "nothing can be mended" in verdict(call, "mended", "2", mended, cloud, mended, more=changes)[1]
