"""Training of the paired game: pairs stay pairs, and its sheet shows the same questions each time."""

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
from worker.evaluation.metrics.pictures import psnr
from worker.training.numerics import apply, local_numerics
from worker.training.samples import sample_sheet
from worker.training.trainer import Trainer

CPU = torch.device("cpu")
SMALL: dict[str, dict[str, Any]] = {
    "pix2pix": {"data": {"side": 16}, "generator": {"width": 4, "depth": 2}, "critic": {"width": 4, "layers": 1}},
    "srgan": {"generator": {"width": 4, "blocks": 1}, "critic": {"width": 4}},
    "inpaint": {"generator": {"kind": "unet", "width": 4, "depth": 2}, "critic": {"width": 4}},
}


def small(family: str, dataset: str | None = None, **overrides: Any) -> Recipe:
    return resolve(family, dataset=dataset, seed=3, overrides=SMALL[family] | {"batch_size": 8} | overrides)[1]


def trainer(recipe: Recipe) -> Trainer:
    numerics = local_numerics("cpu", recipe, 1)
    apply(numerics)
    return Trainer(recipe, Batches(recipe, load(recipe.data, None), CPU), CPU, numerics.precision)


@pytest.mark.slow
def test_a_pair_stays_a_pair_and_in_the_unpaired_game_it_need_not() -> None:
    recipe = small("pix2pix")
    data = load(recipe.data, None)
    marked = type(data)(a=torch.arange(100).view(100, 1, 1, 1), b=torch.arange(100).view(100, 1, 1, 1))
    paired = Batches(recipe, marked, CPU).batch(3)
    assert paired.other is not None
    assert torch.equal(paired.real, paired.other)
    unpaired = resolve(
        "cyclegan", seed=3, overrides={"data": {"side": 16, "kind": "paired", "dataset": "day2night", "channels": 3}}
    )[1]
    mixed = Batches(unpaired, marked, CPU).batch(3)
    assert mixed.other is not None
    assert not torch.equal(mixed.real, mixed.other)


@pytest.mark.slow
def test_scenes_by_night_are_those_of_the_same_days() -> None:
    data = load(small("pix2pix").data, None)
    assert data.a is not None
    assert data.b is not None
    day, night = (pile[:200].float().mean(dim=1).flatten(1) for pile in (data.a, data.b))
    day, night = (pile - pile.mean(dim=0) for pile in (day, night))
    likeness = torch.nn.functional.normalize(day) @ torch.nn.functional.normalize(night).T
    assert (likeness.argmax(dim=1) == torch.arange(200)).float().mean() > 0.3, "of two hundred"


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize(
    ("family", "dataset"), [("pix2pix", "day2night"), ("pix2pix", "digits"), ("srgan", "digits"), ("inpaint", "digits")]
)
def test_the_sheet_shows_given_made_and_right_answer(family: str, dataset: str) -> None:
    one = trainer(small(family, dataset))
    first, again = sample_sheet(one), sample_sheet(one)
    assert (first.draw(), first.values) == (again.draw(), again.values)
    one.advance()
    one.advance()
    later = sample_sheet(one)
    before, after = (np.asarray(Image.open(io.BytesIO(sheet.draw())).convert("RGB")) for sheet in (first, later))
    assert before.shape == after.shape == (8 * 17 - 1, 6 * 17 - 1, 3)
    changed = (before != after).reshape(135, 101, 3).any(axis=(0, 2))
    columns = [changed[17 * number : 17 * number + 16].any() for number in range(6)]
    assert columns == [False, True, False, False, True, False], "what is asked and the answer stay"
    assert 0 < later.values["sample/psnr"] < 100


def test_psnr_is_ten_times_the_logarithm_of_the_squared_error() -> None:
    zeros = torch.zeros(2, 1, 4, 4)
    assert psnr(zeros, zeros + 0.2) == pytest.approx(20)
    assert psnr(zeros, zeros) == 100


@pytest.mark.parametrize(
    "overrides", [{"game": {"conditional": True}}, {"generator": {"kind": "resnet", "width": 4, "blocks": 1}}]
)
def test_other_ways_to_fill_holes_train_too(overrides: dict[str, Any]) -> None:
    one = trainer(small("inpaint", **overrides))
    assert all(loss.isfinite() for loss in one.advance().values())


def test_the_adversarial_weight_is_that_of_the_generators_objective() -> None:
    weights = (1.0, 0.25)
    losses = [trainer(small("inpaint", game={"adversarial": weight})).advance() for weight in weights]
    full, quarter = (loss["generator/non_saturating"].item() for loss in losses)
    assert quarter == pytest.approx(full / 4)
    assert losses[0]["critic/non_saturating"].item() == losses[1]["critic/non_saturating"].item()


@pytest.mark.parametrize(("family", "steps"), [("pix2pix", 1000), ("cyclegan", 1000)])
def test_an_epoch_of_pairs_shows_each_pair_once(family: str, steps: int) -> None:
    overrides: dict[str, Any] = {"batch_size": 1}
    assert resolve(family, dataset="day2night", budget={"epochs": 1}, overrides=overrides)[1].budget.steps == steps
