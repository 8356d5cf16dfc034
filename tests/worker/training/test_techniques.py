"""Techniques against collapse: each is switched on by an override, changes the steps, and resumes exactly."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint
from models.nets.layers.common import set_training_progress
from models.rng import Rng
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.training import advance, assert_same, new_trainer

Json = dict[str, Any]
STEPS = 4
BASE: Json = {
    "data": {"side": 8},
    "latent": {"size": 8},
    "generator": {"width": 4},
    "critic": {"width": 4, "norm": "none"},
    "batch_size": 8,
}
WITH_ENCODER: Json = {"generator": {"kind": "dcgan_autoencoder", "width": 4}}
TECHNIQUES: dict[str, Json] = {
    "unrolled": {"turns": {"unrolled": 2, "unrolled_rate": 0.1}},
    "packing": {"game": {"packing": 2}},
    "minibatch discrimination": {"critic": BASE["critic"] | {"minibatch": "discrimination"}},
    "minibatch deviation": {"critic": BASE["critic"] | {"minibatch": "deviation"}},
    "feature matching": {"penalties": [{"kind": "feature_matching"}]},
    "historical averaging": {"penalties": [{"kind": "historical_averaging"}]},
    "mode regulariser": WITH_ENCODER | {"penalties": [{"kind": "mode_regulariser"}]},
    "jacobian clamping": {"penalties": [{"kind": "jacobian_clamping"}]},
    "prediction": {"turns": {"prediction": True}},
    "label smoothing": {"objective": {"smoothing": 0.1}},
    "instance noise": {"game": {"instance_noise": {"start": 0.5}}},
    "critic dropout": {"critic": BASE["critic"] | {"dropout": 0.3}},
    "two time scales": {"critic_optimizer": {"rate": 8e-4}},
    "differentiable augmentation": {"game": {"augment": {}}},
    "adaptive augmentation": {"game": {"augment": {"target": 0.1, "pace": 100}}},
}
COMPARED_WITH = {"mode regulariser": WITH_ENCODER}
"""by technique: the overrides that it is compared with, where those are not BASE alone"""


def recipe(changes: Json, seed: int = 3) -> Recipe:
    return resolve("dcgan", seed=seed, budget={"steps": STEPS}, overrides=BASE | changes)[1]


@pytest.mark.sampled(quick=4)
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_technique_changes_the_steps_and_resumes_exactly(technique: str, tmp_path: Path) -> None:
    with_it = recipe(TECHNIQUES[technique])
    whole, bare = new_trainer(with_it), new_trainer(recipe(COMPARED_WITH.get(technique, {})))
    losses = advance(whole, STEPS)
    advance(bare, STEPS)
    assert all(math.isfinite(loss) for loss in losses)
    weights, bare_weights = (trainer.generator.network.state_dict() for trainer in (whole, bare))
    assert any(not torch.equal(weights[name], bare_weights[name]) for name in weights)

    half = new_trainer(with_it)
    first = advance(half, STEPS // 2)
    saved = checkpoint.save(half.state_dict(), tmp_path, attempt=1)
    torch.manual_seed(99)  # the state of the global generator must not matter
    resumed = new_trainer(with_it)
    resumed.load_state_dict(checkpoint.load(saved.path))
    assert first + advance(resumed, STEPS // 2) == losses
    assert_same(resumed.state_dict(), whole.state_dict())


def test_instance_noise_fades_to_zero_within_its_share_of_the_budget() -> None:
    trainer = new_trainer(recipe({"game": {"instance_noise": {"start": 0.5, "until": 0.5}}}))
    draw = trainer.game.sample(trainer.batches.batch(0), Rng(0), 0)

    def change_of_scores(progress: float) -> float:
        set_training_progress(trainer.game, progress)
        (duel,) = trainer.game.critic_duels(draw, Rng(0))
        assert trainer.critic is not None
        difference = duel.critic(duel.real).score - trainer.critic.network(duel.real).score
        return float(difference.detach().abs().mean())

    assert change_of_scores(0) > change_of_scores(0.4) > 0
    assert change_of_scores(0.5) == change_of_scores(1) == 0


def test_adaptive_augmentation_changes_its_probability_within_zero_and_one() -> None:
    trainer = new_trainer(recipe(TECHNIQUES["adaptive augmentation"]))
    probabilities = []
    for _ in range(STEPS):
        trainer.advance()
        probabilities.append(float(trainer.gauges()["gauge/augment"]))
    assert all(0 <= probability <= 1 for probability in probabilities)
    assert len(set(probabilities)) > 1
