"""Random recipes: each combination is either refused by a rule, or trains exactly and can be exported.

They combine what no table of cases combines. A recipe follows from its number, so that a failure can be repeated.
"""

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint
from models.export import export_checkpoint, load_export
from models.latent import draw_latent
from models.rng import Rng
from models.spec.families import FAMILIES
from models.spec.resolve import RecipeRefused, merge, resolve
from tests.support.recipes import SMALL_OVERRIDES, TWISTS
from tests.support.training import assert_same, new_trainer
from worker.training.samples import sample_sheet

Json = dict[str, Any]
RECIPES = 100
STEPS = 4


def random_request(number: int) -> tuple[str, Json]:
    """Return a family and overrides: small networks, and up to three twists."""
    rng = random.Random(number)
    family = rng.choice(list(FAMILIES))
    changes: Json = {"batch_size": 4} | SMALL_OVERRIDES.get(family, {})
    for twist in rng.sample(TWISTS, rng.randint(1, 3)):
        changes = merge(changes, twist)
    return family, changes | {"precision": rng.choice(["fp32", "bf16"])}


@pytest.mark.sampled(40, quick=8)
@pytest.mark.parametrize("number", range(RECIPES))
def test_random_recipe_is_refused_or_resumes_exactly_and_can_be_exported(number: int, tmp_path: Path) -> None:
    family, changes = random_request(number)
    try:
        _, recipe = resolve(family, seed=number, budget={"steps": STEPS}, overrides=changes)
    except RecipeRefused:
        return
    whole = new_trainer(recipe, recipe.precision)
    for _ in whole.prepare():
        pass
    for _ in range(STEPS // 2):
        whole.advance()
    half = checkpoint.save(whole.state_dict(), tmp_path, attempt=1)
    for _ in range(STEPS // 2):
        losses = whole.advance()
    assert all(loss.isfinite() for loss in losses.values())
    assert sample_sheet(whole).draw().startswith(b"\x89PNG")
    resumed = new_trainer(recipe, recipe.precision)
    resumed.load_state_dict(checkpoint.load(half.path))
    for _ in range(STEPS // 2):
        resumed.advance()
    assert_same(resumed.state_dict(), whole.state_dict())
    last = checkpoint.save(whole.state_dict(), tmp_path, attempt=2)
    export_checkpoint(recipe, last.path, tmp_path / "export.safetensors")
    export = load_export(tmp_path / "export.safetensors")
    if recipe.generates:
        z = draw_latent(recipe.latent, Rng(0).stream("picture"), 2)
        labels = torch.zeros(2, dtype=torch.int64) if recipe.class_conditional else None
        assert export.networks["generator"](z, labels).isfinite().all()
