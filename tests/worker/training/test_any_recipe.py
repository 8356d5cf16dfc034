"""Recipes at random, from every family and every twist: refused by a rule, or exact and fit to be served.

What no table thought of crossing meets here. A recipe follows from its number, so a failure can be repeated.
"""

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from data.batches import Batches
from data.readers.builtin import load
from models import checkpoint
from models.export import export_checkpoint, load_export
from models.latent import draw_latent
from models.rng import Rng
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, merge, resolve
from tests.worker.training.test_exactness import SMALL, assert_same
from worker.training.numerics import Numerics, apply
from worker.training.samples import sample_sheet
from worker.training.trainer import Trainer

Json = dict[str, Any]
PLAIN: Json = {"critic": {"norm": "none"}}
TWISTS: tuple[Json, ...] = (
    {"turns": {"unrolled": 1}} | PLAIN,
    {"turns": {"prediction": True}},
    {"turns": {"order": "generator_first"}},
    {"turns": {"order": "simultaneous"}},
    {"turns": {"critic_steps": 2}},
    {"game": {"packing": 2}},
    {"game": {"augment": {"target": 0.6, "pace": 100}}},
    {"game": {"instance_noise": {"start": 0.2, "until": 0.5}}},
    {"game": {"conditional": True}},
    {"game": {"content": 1, "features_steps": 1}},
    {"game": {"divergence": 1}},
    {"critic": {"minibatch": "discrimination"}},
    {"critic": {"minibatch": "deviation"}},
    {"critic": {"dropout": 0.3}},
    {"critic": {"norm": "spectral"}},
    {"critic": {"kind": "residual", "width": 4}},
    {"generator": {"norm": "none"}},
    {"generator": {"kind": "residual", "width": 4, "attention": True}},
    {"generator": {"kind": "mlp", "hidden": [8], "norm": "batch"}},
    {"data": {"side": 12}},
    {"data": {"channels": 3}},
    {"latent": {"kind": "uniform"}},
    {"batch_size": 1},
    {"critic_clip": 0.1},
    *({"penalties": [{"kind": kind}]} | PLAIN for kind in ("gradient_penalty", "r1", "r2")),
    *({"penalties": [{"kind": kind}]} for kind in ("feature_matching", "historical_averaging", "jacobian_clamping")),
    *({"objective": {"kind": kind}} for kind in ("minimax", "hinge", "relativistic", "kl", "reverse_kl", "d2gan")),
    *({"generator_optimizer": {"kind": kind}} for kind in ("sgd", "rmsprop")),
)
RECIPES = 100
STEPS = 4


def request(number: int) -> tuple[str, Json]:
    """A family, made small and twisted up to three times."""
    rng = random.Random(number)
    family = rng.choice(list(FAMILIES))
    changes: Json = {"batch_size": 4} | SMALL.get(family, {})
    for twist in rng.sample(TWISTS, rng.randint(1, 3)):
        changes = merge(changes, twist)
    return family, changes | {"precision": rng.choice(["fp32", "bf16"])}


def trainer(recipe: Recipe) -> Trainer:
    apply(Numerics("cpu", "", 1, recipe.precision, "", deterministic=True))
    device = torch.device("cpu")
    return Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, recipe.precision)


@pytest.mark.sampled(40, quick=8)
@pytest.mark.parametrize("number", range(RECIPES))
def test_a_recipe_at_random_is_refused_or_exact_and_served(number: int, tmp_path: Path) -> None:
    family, changes = request(number)
    try:
        _, recipe = resolve(family, seed=number, budget={"steps": STEPS}, overrides=changes)
    except RecipeRefused:
        return
    whole = trainer(recipe)
    for _ in whole.prepare():
        pass
    for _ in range(STEPS // 2):
        whole.advance()
    half = checkpoint.save(whole.state_dict(), tmp_path, attempt=1)
    for _ in range(STEPS // 2):
        losses = whole.advance()
    assert all(loss.isfinite() for loss in losses.values())
    assert sample_sheet(whole).draw().startswith(b"\x89PNG")
    rest = trainer(recipe)
    rest.load_state_dict(checkpoint.load(half.path))
    for _ in range(STEPS // 2):
        rest.advance()
    assert_same(rest.state_dict(), whole.state_dict())
    last = checkpoint.save(whole.state_dict(), tmp_path, attempt=2)
    export_checkpoint(recipe, last.path, tmp_path / "export.safetensors")
    served = load_export(tmp_path / "export.safetensors")
    if recipe.generates:
        z = draw_latent(recipe.latent, Rng(0).stream("picture"), 2)
        labels = torch.zeros(2, dtype=torch.int64) if recipe.class_conditional else None
        assert served.networks["generator"](z, labels).isfinite().all()
