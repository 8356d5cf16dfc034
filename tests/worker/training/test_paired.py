"""Training of the paired game: pairs stay together, and the sample sheet shows the same inputs each time."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.batches import Batches
from data.readers.builtin import load
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.training import new_trainer
from worker.evaluation.metrics.pictures import psnr
from worker.training.samples import sample_sheet

SMALL: dict[str, dict[str, Any]] = {
    "pix2pix": {"data": {"side": 16}, "generator": {"width": 4, "depth": 2}, "critic": {"width": 4, "layers": 1}},
    "srgan": {"generator": {"width": 4, "blocks": 1}, "critic": {"width": 4}},
    "inpaint": {"generator": {"kind": "unet", "width": 4, "depth": 2}, "critic": {"width": 4}},
}


def small(family: str, dataset: str | None = None, **overrides: Any) -> Recipe:
    return resolve(family, dataset=dataset, seed=3, overrides=SMALL[family] | {"batch_size": 8} | overrides)[1]


@pytest.mark.slow
def test_paired_batches_keep_pairs_and_unpaired_batches_mix_them() -> None:
    recipe = small("pix2pix")
    data = load(recipe.data, None)
    numbered = type(data)(a=torch.arange(100).view(100, 1, 1, 1), b=torch.arange(100).view(100, 1, 1, 1))
    paired_batch = Batches(recipe, numbered, torch.device("cpu")).batch(3)
    assert paired_batch.other is not None
    assert torch.equal(paired_batch.real, paired_batch.other)
    unpaired = resolve(
        "cyclegan", seed=3, overrides={"data": {"side": 16, "kind": "paired", "dataset": "day2night", "channels": 3}}
    )[1]
    unpaired_batch = Batches(unpaired, numbered, torch.device("cpu")).batch(3)
    assert unpaired_batch.other is not None
    assert not torch.equal(unpaired_batch.real, unpaired_batch.other)


@pytest.mark.slow
def test_night_scenes_show_the_same_places_as_their_day_scenes() -> None:
    data = load(small("pix2pix").data, None)
    assert data.a is not None
    assert data.b is not None
    day, night = (pile[:200].float().mean(dim=1).flatten(1) for pile in (data.a, data.b))
    day, night = (pile - pile.mean(dim=0) for pile in (day, night))
    likeness = torch.nn.functional.normalize(day) @ torch.nn.functional.normalize(night).T
    assert (likeness.argmax(dim=1) == torch.arange(200)).float().mean() > 0.3, "by chance 1 of 200"


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize(
    ("family", "dataset"), [("pix2pix", "day2night"), ("pix2pix", "digits"), ("srgan", "digits"), ("inpaint", "digits")]
)
def test_paired_sheet_shows_input_output_and_target_and_only_outputs_change(family: str, dataset: str) -> None:
    trainer = new_trainer(small(family, dataset))
    first, again = sample_sheet(trainer), sample_sheet(trainer)
    assert (first.draw(), first.values) == (again.draw(), again.values)
    trainer.advance()
    trainer.advance()
    later = sample_sheet(trainer)
    before, after = (np.asarray(Image.open(io.BytesIO(sheet.draw())).convert("RGB")) for sheet in (first, later))
    assert before.shape == after.shape == (8 * 17 - 1, 6 * 17 - 1, 3)
    changed = (before != after).reshape(135, 101, 3).any(axis=(0, 2))
    columns = [changed[17 * number : 17 * number + 16].any() for number in range(6)]
    assert columns == [False, True, False, False, True, False], "inputs and targets do not change"
    assert 0 < later.values["sample/psnr"] < 100


def test_psnr_of_known_errors() -> None:
    zeros = torch.zeros(2, 1, 4, 4)
    assert psnr(zeros, zeros + 0.2) == pytest.approx(20)
    assert psnr(zeros, zeros) == 100


@pytest.mark.parametrize(
    "overrides", [{"game": {"conditional": True}}, {"generator": {"kind": "resnet", "width": 4, "blocks": 1}}]
)
def test_inpainting_trains_with_conditional_critic_and_resnet_generator(overrides: dict[str, Any]) -> None:
    trainer = new_trainer(small("inpaint", **overrides))
    assert all(loss.isfinite() for loss in trainer.advance().values())


def test_adversarial_weight_scales_only_the_generators_adversarial_loss() -> None:
    weights = (1.0, 0.25)
    losses = [new_trainer(small("inpaint", game={"adversarial": weight})).advance() for weight in weights]
    full, quarter = (loss["generator/non_saturating"].item() for loss in losses)
    assert quarter == pytest.approx(full / 4)
    assert losses[0]["critic/non_saturating"].item() == losses[1]["critic/non_saturating"].item()


@pytest.mark.parametrize(("family", "steps"), [("pix2pix", 1000), ("cyclegan", 1000)])
def test_epoch_has_one_step_per_pair_at_batch_size_one(family: str, steps: int) -> None:
    overrides: dict[str, Any] = {"batch_size": 1}
    assert resolve(family, dataset="day2night", budget={"epochs": 1}, overrides=overrides)[1].budget.steps == steps
