"""Two ranks take the steps of one process but for the rounding: every family, objective, penalty and technique."""

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
from tests.support.ranks import STEPS, Course, alike_by_ranks, courses_by_ranks, troubles_by_ranks
from tests.worker.training.test_any_recipe import TWISTS
from tests.worker.training.test_exactness import SMALL

BASES = ("dcgan", "gan", "sngan", "vae", "pix2pix", "mdgan")
MORE: tuple[dict[str, Any], ...] = (
    {"game": {"augment": {}}},
    {"objective": {"kind": "maximum_likelihood"}},
    {"critic": {"kind": "mlp", "hidden": [8], "dropout": 0.3}},
)
"""beside the twists of recipes at random"""
SLOW: dict[str, Any] = {"kind": "sgd", "rate": 1e-3}
"""plain descent: Adam would hide slopes that are too large by the number of ranks"""
PLAIN: dict[str, Any] = {"cyclegan": {"critic": {"norm": "none"}}}
"""InstanceNorm of the tiny critic's all but constant maps makes much of the last digits"""


def kinds(union: Any) -> set[str]:
    """Of our own: what plugins bring, their tests try."""
    return {arm.model_fields["kind"].default for arm in get_args(get_args(union)[0])} - {"plugin"}


def recipe(family: str, changes: dict[str, Any]) -> Recipe:
    own: dict[str, Any] = {"generator_optimizer": SLOW, "batch_size": 8, "precision": "fp32"}
    if FAMILIES[family].game != "reconstruction":
        own["critic_optimizer"] = SLOW
    return resolve(family, seed=3, budget={"steps": STEPS}, overrides=merge(changes, own))[1]


def recipes() -> dict[str, Recipe]:
    """By name: every family, and each twist of the first of BASES that it fits."""
    made = {family: recipe(family, merge(SMALL.get(family, {}), PLAIN.get(family, {}))) for family in FAMILIES}
    for twist in (*TWISTS, *MORE):
        for family in BASES:
            with suppress(RecipeRefused):
                made[f"{family} {json.dumps(twist)}"] = recipe(family, merge(SMALL.get(family, {}), twist))
                break
        else:
            raise AssertionError(f"No family takes {twist}: add one to BASES.")
    return made


RECIPES = recipes()


@pytest.fixture(scope="module")
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Course, list[Course]]]:
    """By name, for the cases that this run takes: what one process was told, and what each of two ranks was."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    names = [name for name in RECIPES if {"name": name} in parameters]
    taken = [RECIPES[name] for name in names]
    both = courses_by_ranks(taken, tmp_path_factory.mktemp("ranks"), 2)
    (alone,) = courses_by_ranks(taken, tmp_path_factory.mktemp("alone"), 1)
    return {name: (alone[place], [rank[place] for rank in both]) for place, name in enumerate(names)}


@pytest.mark.processes
@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", RECIPES)
def test_two_ranks_take_the_steps_of_one_process(name: str, told: dict[str, tuple[Course, list[Course]]]) -> None:
    alone, (first, second) = told[name]
    assert [[str(value) for value in step.values()] for step in first] == [
        [str(value) for value in step.values()] for step in second
    ], "ranks differ from each other"
    for here, there in zip(alone, first, strict=True):
        assert there == pytest.approx(here, rel=1e-4, abs=1e-5, nan_ok=True)


def test_every_objective_and_penalty_is_among_them() -> None:
    """Else the test above would say nothing of it."""
    objectives = {made.objective.kind for made in RECIPES.values() if made.objective}
    penalties = {penalty.kind for made in RECIPES.values() for penalty in made.penalties}
    assert objectives == kinds(ObjectiveSpec)
    assert penalties == kinds(PenaltySpec)


@pytest.mark.processes
def test_weights_that_one_rank_takes_back_all_take_back(tmp_path: Path) -> None:
    """They overflow, and with much smaller steps they do not. A rank that was left behind would spoil the others."""
    wild = {"kind": "sgd", "rate": 0.3}
    changes = {
        "generator_optimizer": wild, "critic_optimizer": wild, "objective": {"kind": "least_squares"},
        "checkpoint_every": 2, "report_every": 60, "batch_size": 8, "precision": "fp32",
        "watch": {"every": 2, "samples": 40, "policy": "roll_back", "slower": 0.001},
    }  # fmt: skip
    made = resolve("gan", dataset="ring8", seed=7, budget={"steps": 60}, overrides=changes)[1]
    for name in ("alone", "ranks"):
        (tmp_path / name).mkdir()
    alone = troubles_by_ranks(made, tmp_path / "alone", 1)
    kinds = [kind for _, kind in alone]
    assert kinds[:2] == ["non_finite", "rolled_back"]
    assert kinds[-1] == "Finished"
    assert troubles_by_ranks(made, tmp_path / "ranks", 2) == alone


@pytest.mark.processes
def test_ranks_that_have_drifted_apart_are_found(tmp_path: Path) -> None:
    assert alike_by_ranks(tmp_path, 2) == [[True, False]] * 2


def test_alone_nothing_is_spread() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    sync_across_ranks(network)
    assert [type(layer) for layer in network] == [nn.BatchNorm1d, nn.Dropout]
    x = torch.arange(4.0)
    assert distributed.rank_part(x) is not None
    assert torch.equal(distributed.all_gather(distributed.rank_part(x)), x)
    assert distributed.world_size() == 1


def test_an_unknown_layer_that_mixes_a_batch_is_no_silent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    with pytest.raises(TypeError, match="BatchNorm3d has no version"):
        sync_across_ranks(nn.Sequential(nn.BatchNorm3d(3)))
    with pytest.raises(ValueError, match="3 rows cannot be divided"):
        distributed.rank_rows(3)
