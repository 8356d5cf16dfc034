"""What generators are given: edges, smaller copies, holes."""

import numpy as np
import pytest
import torch
from PIL import Image

from models.games import degrade
from models.rng import Rng
from models.spec.games import Mask


def rng(number: int = 0) -> torch.Generator:
    return Rng(3).stream("holes", number)


def test_a_flat_picture_is_white_paper_and_a_step_is_a_black_line() -> None:
    x = torch.zeros(2, 3, 8, 8)
    assert torch.equal(degrade.edges(x), torch.ones_like(x))
    x[..., 4:], x[..., :4] = 0.6, -0.6
    drawing = degrade.edges(x)
    assert drawing.shape == x.shape
    assert torch.equal(drawing[..., 3:5], torch.full((2, 3, 8, 2), -1.0))
    assert torch.equal(drawing[..., [0, 1, 2, 5, 6, 7]], torch.ones(2, 3, 8, 6))


def test_edges_are_found_alike_across_and_down() -> None:
    x = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(degrade.edges(x).mT, degrade.edges(x.mT), rtol=0, atol=1e-6)  # sums in another order


@pytest.mark.parametrize("factor", [2, 4])
def test_smaller_pictures_are_those_of_pillow(factor: int) -> None:
    pixels = np.random.default_rng(1).integers(60, 200, (16, 16), np.uint8)
    small = Image.fromarray(pixels).resize((16 // factor, 16 // factor), Image.Resampling.BICUBIC)
    ours = degrade.downscale(torch.from_numpy(pixels)[None, None].float() / 127.5 - 1, factor)
    assert ours.shape == (1, 1, 16 // factor, 16 // factor)
    assert np.abs((ours[0, 0].numpy() + 1) * 127.5 - np.asarray(small)).max() < 1


def test_smaller_pictures_stay_in_range() -> None:
    x = torch.randint(0, 2, (4, 1, 16, 16)) * 2.0 - 1
    assert degrade.downscale(x, 2).abs().max() <= 1


def test_the_holes_of_the_middle_and_of_the_left_half() -> None:
    centre, left = degrade.hole_mask("centre", 2, 8, 16, rng()), degrade.hole_mask("left", 2, 8, 16, rng())
    assert centre.shape == left.shape == (2, 1, 8, 16)
    assert centre[:, :, 2:6, 4:12].min() == 1
    assert centre.sum() == 2 * 4 * 8
    assert left[..., :8].min() == 1
    assert left.sum() == 2 * 8 * 8


def test_random_holes_are_boxes_of_a_quarter_to_a_half_of_each_side_that_follow_from_the_stream() -> None:
    holes = degrade.hole_mask("random", 2000, 16, 28, rng())
    high, wide = (holes.amax(dim=dim).sum(dim=(1, 2)) for dim in (3, 2))
    assert torch.equal(holes.sum(dim=(1, 2, 3)), high * wide), "boxes"
    assert [side.item() for side in (high.min(), high.max(), wide.min(), wide.max())] == [4, 8, 7, 14]
    assert holes.mean(dim=0).min() > 0, "no place is always known"
    assert torch.equal(holes, degrade.hole_mask("random", 2000, 16, 28, rng()))
    assert not torch.equal(holes, degrade.hole_mask("random", 2000, 16, 28, rng(1)))


@pytest.mark.parametrize("mask", ["random", "centre", "left"])
def test_what_is_in_the_hole_is_not_given_away_and_all_else_is_kept(mask: Mask) -> None:
    x, made = torch.rand(3, 2, 8, 8), torch.full((3, 2, 8, 8), -1.0)
    hole = degrade.hole_mask(mask, 3, 8, 8, rng())
    given, inside = degrade.cut_hole(x, hole), hole.bool().expand_as(x)
    assert given.shape == (3, 3, 8, 8)
    assert torch.equal(given[:, 2:], hole)
    assert given[:, :2][inside].abs().max() == 0
    whole = degrade.fill_hole(x, made, hole)
    assert torch.equal(whole[~inside], x[~inside])
    assert torch.equal(whole[inside], made[inside])
