"""Crops: training batches show random squares of the prepared pictures by seed and draw; evaluations the middle."""

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from data.batches import Batches
from data.readers.builtin import Data, Split, load
from models.rng import DrawTape
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve
from worker.evaluation.generator_under_test import GeneratorUnderTest, Sizes, domains

CPU = torch.device("cpu")
LOAD, SIDE, BATCH = 24, 16, 8


def recipe_of(family: str, seed: int = 1, **data: Any) -> Recipe:
    overrides = {"data": {"side": SIDE, "load": LOAD} | data, "batch_size": BATCH}
    return resolve(family, seed=seed, budget={"steps": 10}, overrides=overrides, dataset="day2night")[1]


def numbered_pictures(count: int) -> Tensor:
    """Return uint8 [count, 3, LOAD, LOAD]: the channels of a pixel hold its picture, its row and its column."""
    down, across = torch.meshgrid(torch.arange(LOAD), torch.arange(LOAD), indexing="ij")
    pictures = [torch.stack([torch.full_like(down, number), down, across]) for number in range(count)]
    return torch.stack(pictures).to(torch.uint8)


def batches_of(recipe: Recipe, a: int = 40, b: int = 40) -> Batches:
    return Batches(recipe, Data(a=numbered_pictures(a), b=numbered_pictures(b)), CPU)


def locate(crop: Tensor) -> tuple[int, int, int, bool]:
    """Return the crop's picture, its top, its left and whether it is mirrored; check that it is cut from one place."""
    levels = (crop + 1).mul(127.5).round().to(torch.uint8)
    number, top, left, end = (int(x) for x in (levels[0, 0, 0], levels[1, 0, 0], levels[2, 0, 0], levels[2, 0, -1]))
    mirrored = end < left
    whole = numbered_pictures(number + 1)[number, :, top : top + SIDE, min(left, end) : min(left, end) + SIDE]
    assert torch.equal(levels, whole.flip(2) if mirrored else whole)
    return number, top, min(left, end), mirrored


def locate_all(x: Tensor | None) -> list[tuple[int, int, int, bool]]:
    assert x is not None
    return [locate(crop) for crop in x]


def test_random_crops_cover_every_position_and_half_are_mirrored() -> None:
    batches = batches_of(recipe_of("cyclegan", flip=True))
    crops = [crop for draw in range(100) for crop in locate_all(batches.batch(draw).real)]
    assert {top for _, top, _, _ in crops} == {left for _, _, left, _ in crops} == set(range(LOAD - SIDE + 1))
    assert 0.4 < sum(mirrored for *_, mirrored in crops) / len(crops) < 0.6
    assert not any(mirrored for *_, mirrored in locate_all(batches_of(recipe_of("cyclegan")).batch(0).real))


def test_crop_follows_from_the_seed_and_the_draw() -> None:
    first, same, other_seed = (batches_of(recipe_of("cyclegan", seed, flip=True)) for seed in (1, 1, 2))
    for draw in (5, 3):
        assert torch.equal(first.batch(draw).real, same.batch(draw).real)
    assert not torch.equal(first.batch(3).real, other_seed.batch(3).real)
    assert not torch.equal(first.batch(3).real, first.batch(5).real)


def test_paired_pictures_share_their_crop_and_unpaired_pictures_do_not() -> None:
    pair = batches_of(recipe_of("pix2pix", flip=True)).batch(2)
    assert locate_all(pair.real) == locate_all(pair.other)
    unpaired = batches_of(recipe_of("cyclegan", flip=True)).batch(2)
    assert [crop[1:] for crop in locate_all(unpaired.real)] != [crop[1:] for crop in locate_all(unpaired.other)]


def test_sheets_judges_and_figures_see_the_middle_without_a_copy() -> None:
    data = Data(a=numbered_pictures(3), b=numbered_pictures(5))
    batches = Batches(recipe_of("cyclegan", flip=True), data, CPU)
    middle = (LOAD - SIDE) // 2
    for pile, whole in ((batches.real, data.a), (batches.other, data.b), (data.centre_crop(SIDE).a, data.a)):
        assert pile is not None
        assert whole is not None
        assert torch.equal(pile, whole[..., middle : middle + SIDE, middle : middle + SIDE])
        assert pile.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
    assert locate_all(batches.first(3).real) == [(number, middle, middle, False) for number in range(3)]


def test_evaluation_uses_the_middle_of_the_pictures_of_both_splits(tmp_path: Path) -> None:
    data = Data(a=numbered_pictures(3), b=numbered_pictures(5))
    recipe, nobody = recipe_of("cyclegan"), torch.nn.Identity()
    test = GeneratorUnderTest(recipe, nobody, lambda split: data, Sizes(generated=8), tmp_path)
    for split in (test.train, test.reference):
        assert [pile.shape for pile in domains(split)] == [(3, 3, SIDE, SIDE), (5, 3, SIDE, SIDE)]


def test_uncropped_pictures_are_mirrored_as_a_whole() -> None:
    batches = batches_of(recipe_of("cyclegan", side=LOAD, load=None, flip=True))
    real = (batches.batch(0).real + 1).mul(127.5).round().to(torch.uint8)
    assert real.shape == (BATCH, 3, LOAD, LOAD)
    assert {int(picture[2, 0, 0]) for picture in real} == {0, LOAD - 1}


def test_replayed_draw_tape_gives_the_crops_of_each_draw() -> None:
    """A CUDA graph reads the same tensors again: refilled, they must give the batch that is drawn eagerly."""
    batches, eager = (batches_of(recipe_of("cyclegan", flip=True)) for _ in range(2))
    tape = DrawTape(first_step=0)
    with batches.rng.use_tape(tape):
        batches.batch(0)
    for draw in (1, 4):
        tape.refill(batches.rng, draw)
        with batches.rng.use_tape(tape):
            replayed = batches.batch(0)
        expected = eager.batch(draw)
        assert torch.equal(replayed.real, expected.real)
        assert replayed.other is not None
        assert expected.other is not None
        assert torch.equal(replayed.other, expected.other)


def test_scenes_are_drawn_at_the_side_of_the_prepared_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.readers.builtin.SCENE_COUNTS", {"train": 2, "test": 2})
    for family in ("cyclegan", "pix2pix"):
        for split in get_args(Split):
            scenes = load(recipe_of(family).data, None, split)
            assert scenes.a is not None
            assert scenes.b is not None
            assert scenes.a.shape == scenes.b.shape == (2, 3, LOAD, LOAD)


def test_crop_larger_than_the_pictures_is_refused() -> None:
    with pytest.raises(RecipeRefused, match="Crops of 16 px cannot be cut from pictures of 12"):
        recipe_of("cyclegan", load=12)


def test_stored_recipe_without_crops_has_no_crop_fields() -> None:
    written = resolve("cyclegan")[1].model_dump(mode="json")
    assert list(written["data"].items()) == [
        ("kind", "unpaired"), ("dataset", "day2night"), ("side", 64), ("channels", 3),
    ]  # fmt: skip
    assert Recipe.model_validate(written).data.load is None  # type: ignore[union-attr]
    cropped = recipe_of("cyclegan", flip=True)
    assert Recipe.model_validate(cropped.model_dump(mode="json")) == cropped
