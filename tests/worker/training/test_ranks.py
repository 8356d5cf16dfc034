"""Ranks: two processes take the steps of one, up to rounding, in every family and with every objective and penalty."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import nn

from models import distributed
from models.nets.layers.sync_layers import sync_across_ranks
from models.spec.families import FAMILIES
from models.spec.objectives import ObjectiveSpec
from models.spec.penalties import PenaltySpec
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, merge, resolve
from tests.support.ranks import STEPS, LossCurve, equality_by_ranks, losses_by_ranks, troubles_by_ranks
from tests.support.recipes import SMALL_OVERRIDES, TWISTS

BASES = ("dcgan", "gan", "sngan", "vae", "pix2pix", "mdgan")
MORE_TWISTS: tuple[dict[str, Any], ...] = (
    {"game": {"augment": {}}},
    {"objective": {"kind": "maximum_likelihood"}},
    {"critic": {"kind": "mlp", "hidden": [8], "dropout": 0.3}},
)

SGD: dict[str, Any] = {"kind": "sgd", "rate": 1e-3}
"""plain gradient descent: Adam would hide gradients that are too large by the number of ranks"""
NO_NORM: dict[str, Any] = {"cyclegan": {"critic": {"norm": "none"}}}
"""InstanceNorm amplifies the rounding of the tiny critic's nearly constant maps"""


def built_in_kinds(union: Any) -> set[str]:
    """Return all kinds but the one that stands for parts of plugins."""
    return {arm.model_fields["kind"].default for arm in get_args(get_args(union)[0])} - {"plugin"}


def sgd_recipe(family: str, changes: dict[str, Any]) -> Recipe:
    options: dict[str, Any] = {"generator_optimizer": SGD, "batch_size": 8, "precision": "fp32"}
    if FAMILIES[family].game != "reconstruction":
        options["critic_optimizer"] = SGD
    return resolve(family, seed=3, budget={"steps": STEPS}, overrides=merge(changes, options))[1]


def all_recipes() -> dict[str, Recipe]:
    """Return by name: every family, and each twist of the first family of BASES that accepts it."""
    recipes = {
        family: sgd_recipe(family, merge(SMALL_OVERRIDES.get(family, {}), NO_NORM.get(family, {})))
        for family in FAMILIES
    }
    for twist in (*TWISTS, *MORE_TWISTS):
        for family in BASES:
            with suppress(RecipeRefused):
                recipes[f"{family} {json.dumps(twist)}"] = sgd_recipe(
                    family, merge(SMALL_OVERRIDES.get(family, {}), twist)
                )
                break
        else:
            raise AssertionError(f"No family takes {twist}: add one to BASES.")
    return recipes


RECIPES = all_recipes()


@pytest.fixture(scope="module")
def losses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[LossCurve, list[LossCurve]]]:
    """Return by name, for the cases of this run: the losses of one process, and those of each of two ranks."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    names = [name for name in RECIPES if {"name": name} in parameters]
    recipes = [RECIPES[name] for name in names]
    by_rank = losses_by_ranks(recipes, tmp_path_factory.mktemp("ranks"), 2)
    (alone,) = losses_by_ranks(recipes, tmp_path_factory.mktemp("alone"), 1)
    return {name: (alone[index], [rank[index] for rank in by_rank]) for index, name in enumerate(names)}


@pytest.mark.processes
@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", RECIPES)
def test_two_ranks_take_the_steps_of_one_process(
    name: str, losses: dict[str, tuple[LossCurve, list[LossCurve]]]
) -> None:
    alone, (first, second) = losses[name]
    assert [[str(value) for value in step.values()] for step in first] == [
        [str(value) for value in step.values()] for step in second
    ], "ranks differ from each other"
    for here, there in zip(alone, first, strict=True):
        assert there == pytest.approx(here, rel=1e-4, abs=1e-5, nan_ok=True)


def test_compared_recipes_cover_every_objective_and_penalty() -> None:
    objectives = {recipe.objective.kind for recipe in RECIPES.values() if recipe.objective}
    penalties = {penalty.kind for recipe in RECIPES.values() for penalty in recipe.penalties}
    assert objectives == built_in_kinds(ObjectiveSpec)
    assert penalties == built_in_kinds(PenaltySpec)


@pytest.mark.processes
def test_ranks_roll_back_together(tmp_path: Path) -> None:
    """The weights overflow, and after the roll back the rate is so small that they do not."""
    diverging = {"kind": "sgd", "rate": 0.3}
    changes = {
        "generator_optimizer": diverging, "critic_optimizer": diverging, "objective": {"kind": "least_squares"},
        "checkpoint_every": 2, "report_every": 60, "batch_size": 8, "precision": "fp32",
        "watch": {"every": 2, "samples": 40, "policy": "roll_back", "slower": 0.001},
    }  # fmt: skip
    recipe = resolve("gan", dataset="ring8", seed=7, budget={"steps": 60}, overrides=changes)[1]
    for name in ("alone", "ranks"):
        (tmp_path / name).mkdir()
    alone = troubles_by_ranks(recipe, tmp_path / "alone", 1)
    kinds = [kind for _, kind in alone]
    assert kinds[:2] == ["non_finite", "rolled_back"]
    assert kinds[-1] == "Finished"
    assert troubles_by_ranks(recipe, tmp_path / "ranks", 2) == alone


@pytest.mark.processes
def test_difference_between_ranks_is_detected(tmp_path: Path) -> None:
    assert equality_by_ranks(tmp_path, 2) == [[True, False]] * 2


def test_single_process_keeps_its_layers_and_tensors() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    sync_across_ranks(network)
    assert [type(layer) for layer in network] == [nn.BatchNorm1d, nn.Dropout]
    x = torch.arange(4.0)
    assert distributed.rank_part(x) is not None
    assert torch.equal(distributed.all_gather(distributed.rank_part(x)), x)
    assert distributed.world_size() == 1


def test_layer_without_a_version_for_ranks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    with pytest.raises(TypeError, match="BatchNorm3d has no version"):
        sync_across_ranks(nn.Sequential(nn.BatchNorm3d(3)))
    with pytest.raises(ValueError, match="3 rows cannot be divided"):
        distributed.rank_rows(3)
