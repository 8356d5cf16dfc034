"""Recipes: merging, refusals with pointers, and that every family is complete on its default dataset."""

from typing import Any

import pytest

from models.spec.datasets import DATASETS
from models.spec.families import FAMILIES
from models.spec.objectives import Hinge
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, merge, resolve
from models.spec.upgrade import upgrade


def refusal(recipe: Any = "cdcgan", **request: Any) -> tuple[str, str]:
    with pytest.raises(RecipeRefused) as caught:
        resolve(recipe, **request)
    first = caught.value.refusals[0]
    return first.pointer, first.message


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_complete_and_round_trips_through_json(family: str) -> None:
    name, recipe = resolve(family, seed=2**63 - 1)
    assert name == family
    assert recipe.seed == 2**63 - 1
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert resolve(recipe.model_dump(mode="json")) == (None, recipe), "a whole recipe is returned unchanged"
    assert upgrade(recipe.model_dump(mode="json")) == recipe.model_dump(mode="json")


@pytest.mark.parametrize(
    "family", [name for name, family in FAMILIES.items() if family.game == "synthesis" and "images" in family.kinds]
)
def test_every_synthesis_family_fits_every_image_dataset(family: str) -> None:
    for info in DATASETS.values():
        if info.kind == "images":
            assert resolve(family, dataset=info.name)[1].data == info.spec()


@pytest.mark.parametrize("family", ["gan", "wgan", "wgan_gp", "lsgan"])
def test_points_get_mlp_players(family: str) -> None:
    recipe = resolve(family, dataset="ring8")[1]
    assert recipe.critic is not None
    assert (recipe.generator.kind, recipe.critic.kind, recipe.data.kind) == ("mlp", "mlp", "points")


def test_cadences_follow_from_the_budget() -> None:
    recipe = resolve("dcgan", budget={"steps": 1000})[1]
    assert (recipe.checkpoint_every, recipe.report_every) == (50, 25)
    tiny = resolve("dcgan", budget={"steps": 3})[1]
    assert (tiny.checkpoint_every, tiny.report_every) == (1, 1)


@pytest.mark.parametrize(
    ("family", "budget", "steps"),
    [
        ("dcgan", {"epochs": 1}, 29),  # 1797 digits in batches of 64
        ("dcgan", {"epochs": 3}, 85),
        ("wgan_gp", {"epochs": 1}, 8),  # in batches of 50, five for each move of the generator
        ("dcgan", {"epochs": 0.001}, 1),
        ("dcgan", {"steps": 7, "epochs": None}, 7),
        ("dcgan", {}, 2000),
    ],
)
def test_epochs_are_steps_in_which_the_critic_sees_every_example_once(
    family: str, budget: dict[str, Any], steps: int
) -> None:
    recipe = resolve(family, dataset="digits", budget=budget)[1]
    assert (recipe.budget.steps, recipe.budget.minutes) == (steps, None)
    assert recipe.checkpoint_every == -(-steps // 20)
    assert resolve(family, dataset="digits", overrides={"budget": budget})[1] == recipe
    whole = {**recipe.model_dump(mode="json"), "budget": budget}
    assert resolve(whole)[1] == recipe


def test_an_epoch_of_two_piles_shows_a_batch_of_both_at_each_move() -> None:
    recipe = resolve("cyclegan", dataset="day2night", budget={"epochs": 2})[1]
    assert (recipe.batch_size, recipe.budget.steps) == (4, 500), "1,000 pictures by day and 1,000 by night"


def test_budget_in_minutes_stays_until_it_is_measured() -> None:
    recipe = resolve("dcgan", budget={"minutes": 3})[1]
    assert (recipe.budget.minutes, recipe.budget.steps) == (3, 100_000_000)
    assert resolve(recipe.model_dump(mode="json"))[1] == recipe, "the returned recipe resolves to itself"
    assert resolve("dcgan", overrides={"budget": {"minutes": 3}})[1] == recipe
    assert resolve(recipe.model_dump(mode="json"), budget={"steps": 5})[1].budget.steps == 5


def test_merge_goes_field_by_field_replaces_lists_and_changed_kinds() -> None:
    base = {"a": {"kind": "x", "one": 1, "two": 2}, "list": [1, 2], "keep": 0}
    assert merge(base, {"a": {"one": 5}})["a"] == {"kind": "x", "one": 5, "two": 2}
    assert merge(base, {"a": {"kind": "x", "one": 5}})["a"] == {"kind": "x", "one": 5, "two": 2}
    assert merge(base, {"a": {"kind": "y"}})["a"] == {"kind": "y"}
    assert merge(base, {"list": [3]}) == {**base, "list": [3]}
    assert base["list"] == [1, 2], "the base is left alone"


def test_changing_a_kind_takes_the_new_kinds_defaults() -> None:
    recipe = resolve("lsgan", overrides={"objective": {"kind": "hinge"}, "generator_optimizer": {"rate": 0.001}})[1]
    assert recipe.objective == Hinge()
    assert recipe.generator_optimizer.rate == 0.001


@pytest.mark.parametrize(
    ("request_", "pointer", "text"),
    [
        ({"overrides": {"batch_size": 0}}, "/overrides/batch_size", "from 1 to 8192"),
        ({"overrides": {"critic": {"kind": "mlp", "wrong": 1}}}, "/overrides/critic/wrong", "no field"),
        ({"overrides": {"penalties": [{"kind": "r1", "every": 0}]}}, "/overrides/penalties/0/every", "from 1 to"),
        ({"overrides": {"data": {"side": 3}}}, "/overrides/data/side", "from 8 to 512"),
        ({"overrides": {"data": 3}}, "/overrides/data", "is an object"),
        ({"overrides": {"data": {"dataset": "mnist"}}}, "/overrides/data/dataset", "Name the dataset in `dataset`"),
        ({"overrides": {"ema": {"decay": float("nan")}}}, "/overrides/ema/decay", "finite"),
        ({"budget": {"steps": -1}}, "/budget/steps", "from 1 to 100000000"),
        ({"budget": {"epochs": 0}}, "/budget/epochs", "above 0"),
        ({"budget": {"epochs": float("nan")}}, "/budget/epochs", "finite"),
        ({"budget": {"epochs": 1e6}, "dataset": "mnist"}, "/budget/steps", "from 1 to 100000000"),
        ({"budget": {"minutes": 1e6}}, "/budget/minutes", "at most 43200"),
        ({"budget": {"hours": 1}}, "/budget/hours", "no field"),
        ({"budget": {"epochs": 1, "minutes": 1}}, "/budget", "in epochs and in minutes: choose one"),
        ({"overrides": {"budget": {"epochs": 1, "minutes": 1}}}, "/overrides/budget", "choose one"),
        ({"overrides": {"budget": {"epochs": -1}}}, "/overrides/budget/epochs", "above 0"),
        ({"overrides": {"budget": {"steps": 5, "minutes": 1}}}, "/overrides/budget", "in steps and in minutes"),
        ({"seed": 2**63}, "/seed", "to 9223372036854775807"),
        ({"dataset": "ring9"}, "/dataset", "There are digits, mnist"),
        ({"dataset": "ring8"}, "/overrides/generator", "Points need a generator of kind mlp"),
        ({"dataset": "day2night"}, "/overrides/game", "cannot be played on 'day2night'"),
        ({"recipe": "stylegan9"}, "/recipe", "No family is called 'stylegan9'"),
        ({"recipe": "wgan", "overrides": {"critic_clip": None}}, "/overrides/objective", "add a gradient_penalty"),
        (
            {"recipe": "dcgan", "overrides": {"penalties": [{"kind": "r1"}]}},
            "/overrides/critic/norm",
            "set critic.norm",
        ),
        ({"recipe": "dcgan", "overrides": {"penalties": [{"kind": "auxiliary"}]}}, "/overrides/penalties", "classes"),
        (
            {"recipe": "wgan_gp", "overrides": {"turns": {"order": "simultaneous"}}},
            "/overrides/turns/critic_steps",
            "equally often",
        ),
        (
            {"recipe": "cyclegan", "overrides": {"data": {"side": 16}, "critic": {"layers": 3}}},
            "/overrides/critic/layers",
            "fewer layers",
        ),
        ({"recipe": "cyclegan", "overrides": {"data": {"side": 66}}}, "/overrides/data/side", "divisible by 4"),
        ({"overrides": {"generator": {"norm": "none"}}}, "/overrides/generator/norm", "class through BatchNorm"),
        (
            {"overrides": {"penalties": [{"kind": "r1"}, {"kind": "r1"}]}},
            "/overrides/penalties",
            "listed twice",
        ),
    ],
)
def test_invalid_request_is_refused_at_its_pointer(request_: dict[str, Any], pointer: str, text: str) -> None:
    refused_at, message = refusal(**{"recipe": "cdcgan"} | request_)
    assert refused_at == pointer
    assert text in message


def test_a_whole_recipe_is_refused_at_its_own_pointer_and_takes_no_overrides() -> None:
    whole = resolve("dcgan")[1].model_dump(mode="json")
    assert refusal(whole | {"batch_size": -2})[0] == "/recipe/batch_size"
    assert refusal(whole, overrides={"batch_size": 2})[0] == "/overrides"


def test_recipe_of_a_newer_version_is_refused() -> None:
    with pytest.raises(ValueError, match="newer Forger"):
        upgrade({"version": 2})
