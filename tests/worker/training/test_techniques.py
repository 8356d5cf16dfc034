"""Each technique against collapse, switched on by an override: it changes the step, and stays exact."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint
from models.nets.layers.common import set_progress
from models.rng import Rng
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.worker.training.test_exactness import advance, assert_same
from tests.worker.training.test_exactness import trainer as on_threads
from worker.training.trainer import Trainer

Json = dict[str, Any]
STEPS = 4
BASE: Json = {
    "data": {"side": 8},
    "latent": {"size": 8},
    "generator": {"width": 4},
    "critic": {"width": 4, "norm": "none"},
    "batch_size": 8,
}
ENCODING: Json = {"generator": {"kind": "dcgan_autoencoder", "width": 4}}
TECHNIQUES: dict[str, Json] = {
    "unrolled": {"turns": {"unrolled": 2, "unrolled_rate": 0.1}},
    "packing": {"game": {"packing": 2}},
    "minibatch discrimination": {"critic": BASE["critic"] | {"minibatch": "discrimination"}},
    "minibatch deviation": {"critic": BASE["critic"] | {"minibatch": "deviation"}},
    "feature matching": {"penalties": [{"kind": "feature_matching"}]},
    "historical averaging": {"penalties": [{"kind": "historical_averaging"}]},
    "mode regulariser": ENCODING | {"penalties": [{"kind": "mode_regulariser"}]},
    "jacobian clamping": {"penalties": [{"kind": "jacobian_clamping"}]},
    "prediction": {"turns": {"prediction": True}},
    "label smoothing": {"objective": {"smoothing": 0.1}},
    "instance noise": {"game": {"instance_noise": {"start": 0.5}}},
    "critic dropout": {"critic": BASE["critic"] | {"dropout": 0.3}},
    "two time scales": {"critic_optimizer": {"rate": 8e-4}},
    "differentiable augmentation": {"game": {"augment": {}}},
    "adaptive augmentation": {"game": {"augment": {"target": 0.1, "pace": 100}}},
}
WITHOUT = {"mode regulariser": ENCODING}
"""what a technique is compared with, where that is not the bare recipe"""


def trainer(recipe: Recipe) -> Trainer:
    return on_threads(recipe, 1)


def recipe(changes: Json, seed: int = 3) -> Recipe:
    return resolve("dcgan", seed=seed, budget={"steps": STEPS}, overrides=BASE | changes)[1]


@pytest.mark.sampled(quick=4)
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_it_changes_the_steps_and_they_stay_exact(technique: str, tmp_path: Path) -> None:
    with_it = recipe(TECHNIQUES[technique])
    whole, bare = trainer(with_it), trainer(recipe(WITHOUT.get(technique, {})))
    losses = advance(whole, STEPS)
    advance(bare, STEPS)
    assert all(math.isfinite(loss) for loss in losses)
    ours, theirs = (one.generator.network.state_dict() for one in (whole, bare))
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)

    half = trainer(with_it)
    first = advance(half, STEPS // 2)
    saved = checkpoint.save(half.state_dict(), tmp_path, attempt=1)
    torch.manual_seed(99)  # what the global generator holds must not matter
    rest = trainer(with_it)
    rest.load_state_dict(checkpoint.load(saved.path))
    assert first + advance(rest, STEPS // 2) == losses
    assert_same(rest.state_dict(), whole.state_dict())


def test_instance_noise_falls_to_nothing_when_its_share_of_the_budget_is_done() -> None:
    one = trainer(recipe({"game": {"instance_noise": {"start": 0.5, "until": 0.5}}}))
    draw = one.game.sample(one.batches.batch(0), Rng(0), 0)

    def altered(progress: float) -> float:
        set_progress(one.game, progress)
        (duel,) = one.game.critic_duels(draw, Rng(0))
        assert one.critic is not None
        difference = duel.critic(duel.real).score - one.critic.network(duel.real).score
        return float(difference.detach().abs().mean())

    assert altered(0) > altered(0.4) > 0
    assert altered(0.5) == altered(1) == 0


def test_adaptive_augmentation_moves_with_the_critics_certainty() -> None:
    one = trainer(recipe(TECHNIQUES["adaptive augmentation"]))
    seen = []
    for _ in range(STEPS):
        one.advance()
        seen.append(float(one.gauges()["gauge/augment"]))
    assert all(0 <= probability <= 1 for probability in seen)
    assert len(set(seen)) > 1
