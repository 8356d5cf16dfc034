"""Exports of generators that draw from noise equal the trained weight average, also while a network still grows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.batches import Batches
from data.readers.builtin import load
from models import checkpoint
from models.export import export_checkpoint, load_export
from models.latent import cycling_labels, draw_latent
from models.recalibration import recalibrate_batchnorm
from models.rng import Rng
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from serving.loaded import Item, LoadedModel
from worker.training.trainer import Trainer

CPU = torch.device("cpu")
STEPS = 6
TINY: dict[str, Any] = {"batch_size": 8, "generator": {"width": 4}, "critic": {"width": 4}}


def trained(family: str, steps: int, **overrides: Any) -> tuple[Recipe, Trainer]:
    """Return the recipe of STEPS steps, and its trainer after the given number of them."""
    recipe = resolve(family, budget={"steps": STEPS}, overrides=TINY | overrides)[1]
    torch.use_deterministic_algorithms(True)
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), CPU), CPU, "fp32")
    for _ in range(steps):
        trainer.advance()
    return recipe, trainer


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(
    ("family", "steps"),
    [("progan", 1), ("progan", 3), ("progan", STEPS), ("stackgan", 2), ("stackgan", STEPS), ("biggan", STEPS)],
)
def test_export_draws_the_pictures_of_the_weight_average(family: str, steps: int, tmp_path: Path) -> None:
    recipe, trainer = trained(family, steps)
    saved = checkpoint.save(trainer.state_dict(), tmp_path, attempt=1)
    export_checkpoint(recipe, saved.path, tmp_path / "export")
    export = load_export(tmp_path / "export")
    average = trainer.average.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    recalibrate_batchnorm(average, recipe)
    z, labels = draw_latent(recipe.latent, Rng(1).stream("z"), 12), cycling_labels(recipe.classes, 12)
    with torch.no_grad():
        assert torch.equal(export.networks["generator"](z, labels), average.eval()(z, labels))

    loaded = LoadedModel(export, CPU, 1)
    items = [Item(i if recipe.classes else None, i, 5, 1.0) for i in range(5)]
    singles = np.concatenate([loaded.sample([item]) for item in items])
    assert np.array_equal(loaded.sample(items), singles)


def test_new_stage_of_progressive_growing_is_invisible_until_its_fade_begins() -> None:
    _, trainer = trained("progan", 2)  # a third of the budget
    average = trainer.average.network.eval()
    z = torch.randn(2, 64)
    with torch.no_grad():
        blocks = average(z).unfold(2, 4, 4).unfold(3, 4, 4).flatten(4)
    torch.testing.assert_close(blocks, blocks[..., :1].expand_as(blocks), msg="the new layers already contribute")


def test_lower_temperature_reduces_the_variety_of_served_pictures(tmp_path: Path) -> None:
    recipe, trainer = trained("biggan", 2)
    saved = checkpoint.save(trainer.state_dict(), tmp_path, attempt=1)
    export_checkpoint(recipe, saved.path, tmp_path / "export")
    loaded = LoadedModel(load_export(tmp_path / "export"), CPU, 1)
    spreads = [
        loaded.sample([Item(3, i, 5, temperature) for i in range(32)]).astype(float).std(0).mean()
        for temperature in (1.0, 0.5, 0.0)
    ]
    assert spreads[0] > spreads[1] > spreads[2] == 0
