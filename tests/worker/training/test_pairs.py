"""Every objective x penalty x conditioning: the rules refuse it with a sentence, or one step is finite and exact."""

import math
from functools import cache
from itertools import product
from typing import Any, get_args

import pytest
import torch
from pydantic import BaseModel

from data.batches import Batches
from data.readers.builtin import Data, load
from models.spec.objectives import ObjectiveSpec
from models.spec.penalties import PenaltySpec
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve
from worker.training.trainer import Trainer

Json = dict[str, Any]


def kinds(union: Any) -> list[str]:
    arms: tuple[type[BaseModel], ...] = get_args(get_args(union)[0])
    return [kind for arm in arms if (kind := arm.model_fields["kind"].default) != "plugin"]


OBJECTIVES = kinds(ObjectiveSpec)
PENALTIES = [None, *kinds(PenaltySpec)]
DCGAN: Json = {"generator": {"kind": "dcgan", "width": 4}, "critic": {"kind": "dcgan", "width": 4, "norm": "none"}}
CONDITIONINGS: dict[str, Json] = {
    "none": DCGAN,
    "concatenation": {
        "generator": {"kind": "mlp", "hidden": [8]},
        "critic": {"kind": "mlp", "hidden": [8], "conditioning": "concatenation"},
    },
    "projection": DCGAN,
    "auxiliary": DCGAN | {"critic": DCGAN["critic"] | {"conditioning": "none"}},
}
"""the networks for each way to condition on the class"""


def overrides_for(objective: str, penalty: str | None, conditioning: str) -> Json:
    """Return overrides of dcgan at 8 px, with the networks and the clipping that the objective and penalty need."""
    conditional = conditioning != "none"
    penalties = [{"kind": penalty}] if penalty else []
    if conditioning == "auxiliary" and penalty != "auxiliary":
        penalties.append({"kind": "auxiliary"})
    networks = dict(CONDITIONINGS[conditioning])
    if objective == "began":
        networks["critic"] = {"kind": "autoencoder", "width": 4, "code": 4}
    if penalty == "mode_regulariser" and not conditional:
        networks["generator"] = {"kind": "dcgan_autoencoder", "width": 4}
    return networks | {
        "data": {"side": 8},
        "game": {"kind": "synthesis", "conditional": conditional},
        "latent": {"size": 4},
        "objective": {"kind": objective},
        "penalties": penalties,
        "critic_clip": 0.1 if objective == "wasserstein" and penalty != "gradient_penalty" else None,
        "batch_size": 4,
        "precision": "fp32",
    }


@cache
def digits() -> Data:
    return load(resolve("dcgan", overrides={"data": {"side": 8}})[1].data, None)


def losses_of_a_step(recipe: Recipe) -> dict[str, float]:
    device = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, digits(), device), device, "fp32")
    return {name: loss.item() for name, loss in trainer.advance().items()}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.sampled(quick=6)
@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_combination_is_refused_with_a_sentence_or_takes_a_finite_reproducible_step(
    objective: str, conditioning: str
) -> None:
    accepted = set()
    for penalty in PENALTIES:
        try:
            recipe = resolve("dcgan", overrides=overrides_for(objective, penalty, conditioning))[1]
        except RecipeRefused as refused:
            for refusal in refused.refusals:
                assert refusal.pointer.startswith("/overrides/"), (penalty, refusal)
                assert refusal.message.endswith("."), (penalty, refusal)
            continue
        first = losses_of_a_step(recipe)
        assert all(math.isfinite(loss) for loss in first.values()), (penalty, first)
        assert first == losses_of_a_step(recipe), penalty
        assert penalty is None or any(name.endswith(penalty) for name in first), (penalty, first)
        accepted.add(penalty)
    assert accepted >= legal_penalties(objective, conditioning), "the rules refuse a legal combination"


COMMON = {None, "gradient_penalty", "r1", "r2", "feature_matching", "historical_averaging", "jacobian_clamping"}


def legal_penalties(objective: str, conditioning: str) -> set[str | None]:
    """Return the penalties that must be legal."""
    if objective == "began":  # its critic gives no features and is not conditional
        return COMMON - {"feature_matching"} if conditioning == "none" else set()
    if objective == "d2gan":  # gradient penalties would need one for each of its two critics
        return (COMMON - {"gradient_penalty", "r1", "r2"}) | ({"auxiliary"} if conditioning != "none" else set())
    return COMMON | {"mode_regulariser" if conditioning == "none" else "auxiliary"}


def test_combinations_cover_all_objectives_penalties_and_conditionings() -> None:
    assert len(list(product(OBJECTIVES, PENALTIES, CONDITIONINGS))) >= 11 * 9 * 4
