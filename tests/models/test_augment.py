"""Augmentations of pictures: each does what it is named for, as often as its probability, and passes gradients."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from models.augment import augment
from models.games.synthesis import pack, unpack
from models.rng import Stream
from models.spec.games import Transform

PICTURES = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def rng(seed: int = 5) -> Stream:
    return Stream(seed)


def changed(x: Tensor) -> Tensor:
    """Return which pictures differ from PICTURES."""
    return (x != PICTURES).flatten(1).any(1)


@pytest.mark.parametrize("name", get_args(Transform))
def test_transform_is_applied_with_its_probability_and_is_reproducible(name: Transform) -> None:
    always = augment(PICTURES, (name,), None, rng())
    assert changed(always).float().mean() > 0.9
    assert torch.equal(always, augment(PICTURES, (name,), None, rng()))
    assert not torch.equal(always, augment(PICTURES, (name,), None, rng(6)))
    assert not changed(augment(PICTURES, (name,), torch.tensor(0.0), rng())).any()
    assert 0.3 < changed(augment(PICTURES, (name,), torch.tensor(0.5), rng())).float().mean() < 0.7


@pytest.mark.parametrize("name", get_args(Transform))
def test_transform_passes_gradients(name: Transform) -> None:
    x = PICTURES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(augment(x, (name,), None, rng()).square().sum(), x)
    assert gradient.isfinite().all()
    assert (gradient != 0).flatten(1).any(1).all()


def test_translation_moves_by_an_eighth_at_most_and_fills_with_grey() -> None:
    dot = torch.zeros(64, 1, 16, 16)
    dot[:, :, 8, 8] = 1
    moved = augment(dot, ("translation",), None, rng())
    assert moved.sum() == 64, "a dot in the middle is never moved out"
    positions = moved.flatten(1).argmax(1)
    rows, columns = positions // 16 - 8, positions % 16 - 8
    assert [int(offsets.abs().max()) for offsets in (rows, columns)] == [2, 2]
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) > 12


def test_cutout_is_a_square_of_grey() -> None:
    cut = augment(torch.ones(64, 2, 16, 16), ("cutout",), None, rng())
    holes = (cut == 0).sum((1, 2, 3)) / 2
    assert holes.max() == 64, "half the side, squared"
    assert holes.min() >= 16, "a hole reaches over an edge by half of itself at most"
    assert ((cut == 0) | (cut == 1)).all()


def test_packs_concatenate_neighbours_and_unpack_restores_them() -> None:
    packs = pack(PICTURES, 4)
    assert packs.shape == (16, 12, 16, 16)
    assert torch.equal(packs[0, 3:6], PICTURES[1])
    assert torch.equal(unpack(packs, 4), PICTURES)
    points = torch.arange(8.0).view(4, 2)
    assert pack(points, 2).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
