"""The watch of a recipe that leaves it out or gives only a part of it."""

from typing import Any

import pytest

from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve, with_steps
from models.spec.watch import FIGURES, METRICS, Watch


def watch_of(family: str = "cdcgan", *, budget: dict[str, Any] | None = None, **overrides: Any) -> Watch | None:
    return resolve(family, budget=budget, overrides=overrides or None)[1].watch


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_watched_at_its_own_budget(family: str) -> None:
    recipe = resolve(family)[1]
    assert recipe.watch is not None
    assert recipe.watch.metric == METRICS[recipe.game.kind, recipe.data.kind][0]
    assert recipe.watch.every % recipe.checkpoint_every == 0
    assert recipe.budget.steps >= 3 * recipe.watch.every


def test_every_metric_is_a_figure() -> None:
    assert {metric for metrics in METRICS.values() for metric in metrics} <= FIGURES.keys()


def test_a_short_budget_is_watched_too() -> None:
    default = watch_of(budget={"steps": 40})
    assert default == Watch(metric="frechet", every=50, samples=160)
    assert watch_of(budget={"steps": 40}, watch={"patience": 3}) == default.model_copy(update={"patience": 3})


def test_null_turns_the_watch_off() -> None:
    assert watch_of(watch=None) is None


def test_missing_fields_of_a_watch_take_their_defaults() -> None:
    default = watch_of()
    assert default is not None
    assert watch_of(watch={"policy": "stop"}) == default.model_copy(update={"policy": "stop"})


@pytest.mark.parametrize(
    ("watch", "steps", "expected"),
    [
        ({}, 1_200, {"every": 60, "samples": 192, "policy": "warn"}),
        ({}, 60, {"every": 51, "samples": 163}),
        ({"policy": "stop"}, 150, {"every": 56, "policy": "stop"}),
        ({"every": 500}, 1_200, {"every": 540}),
        ({"samples": 99}, 1_200, {"every": 60, "samples": 99}),
    ],
)
def test_watch_is_adjusted_when_minutes_become_steps(
    watch: dict[str, Any], steps: int, expected: dict[str, Any]
) -> None:
    """A requested `every` is rounded to a multiple of checkpoint_every."""
    recipe = resolve("cdcgan", budget={"minutes": 1}, overrides={"watch": watch} if watch else None)[1]
    whole = with_steps(recipe, steps)
    assert Recipe.model_validate(whole.model_dump()) == whole
    for name, value in expected.items():
        assert getattr(whole.watch, name) == value


def test_recipe_stored_without_a_watch_has_none() -> None:
    stored = resolve("cdcgan")[1].model_dump(mode="json")
    del stored["watch"]
    assert Recipe.model_validate(stored).watch is None


@pytest.mark.parametrize(
    "watch", [{"every": 0}, {"samples": 3}, {"policy": "pray"}, {"roll_backs": 0}, {"often": 3}, 7]
)
def test_invalid_watch_is_refused_at_its_pointer(watch: Any) -> None:
    with pytest.raises(RecipeRefused) as caught:
        watch_of(watch=watch)
    assert caught.value.refusals[0].pointer.startswith("/overrides/watch")
