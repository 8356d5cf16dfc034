"""Drawn scenes: a pair shares its geometry, no scene is in two splits, night is dark and day is bright."""

import itertools

import pytest
import torch

from data.readers import builtin, scene_tensors, scenes
from models.spec.datasets import DATASETS


@pytest.mark.parametrize("side", [32, 64])
def test_a_scene_is_a_function_of_its_seed(side: int) -> None:
    first, second = (scene_tensors.pictures([5, 6], side, night=True) for _ in range(2))
    assert first.shape == (2, 3, side, side)
    assert first.dtype == torch.uint8
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_night_is_dark_and_blue_and_day_is_bright() -> None:
    day, night = scene_tensors.pairs(32, 60)
    assert day.float().mean() > 2.5 * night.float().mean()
    assert (day.float().mean(dim=(1, 2, 3)) > night.float().mean(dim=(1, 2, 3)) + 40).all()
    red, _, blue = night.float().mean(dim=(0, 2, 3)).tolist()
    assert blue > 1.3 * red


def test_lamps_and_windows_shine_at_night() -> None:
    """Most nights have a bright warm pixel, which nothing dark and blue has."""
    _, night = scene_tensors.pairs(64, 60)
    red, _, blue = night.float().unbind(dim=1)
    warm = ((red > 200) & (red > blue + 60)).flatten(1).any(dim=1)
    assert warm.float().mean() > 0.5


def test_a_pair_shares_its_geometry() -> None:
    """The outlines of a day are more like those of its own night than like those of any other."""
    day, night = (_outlines(pile) for pile in scene_tensors.pairs(64, 40))
    likeness = day @ night.T
    assert (likeness.argmax(dim=1) == torch.arange(40)).float().mean() > 0.9


def _outlines(pictures: torch.Tensor) -> torch.Tensor:
    grey = pictures.float().mean(dim=1)
    steps = grey.diff(dim=1).abs()[:, :, :-1] + grey.diff(dim=2).abs()[:, :-1, :]
    flat = steps.flatten(1).clamp(max=20)
    return torch.nn.functional.normalize(flat - flat.mean(dim=1, keepdim=True), dim=1)


def test_the_two_piles_and_the_held_out_pairs_share_no_scene() -> None:
    starts = sorted([scenes.DAY_SEEDS, scenes.NIGHT_SEEDS, scenes.HELD_OUT_SEEDS])
    assert min(b - a for a, b in itertools.pairwise(starts)) > max(builtin.SCENE_COUNTS.values())


def test_scenes_vary_widely() -> None:
    day = scene_tensors.pictures(range(60), 32, night=False).float()
    assert day.std(dim=0).mean() > 25


@pytest.mark.slow
def test_dataset_has_as_many_scenes_as_its_entry_says() -> None:
    info = DATASETS["day2night"]
    loaded = builtin.load(info.spec().model_copy(update={"side": 16}), None)
    assert loaded.a is not None
    assert loaded.b is not None
    assert len(loaded.a) + len(loaded.b) == info.size
    assert loaded.a.shape[1:] == (3, 16, 16)


def test_test_split_in_one_channel_has_200_grey_scenes() -> None:
    loaded = builtin.load(DATASETS["day2night"].spec().model_copy(update={"side": 8, "channels": 1}), None, "test")
    assert loaded.a is not None
    assert loaded.a.shape == (200, 1, 8, 8)
