"""The inputs that the paired game derives from a picture: edges, smaller copies, holes."""

import numpy as np
import pytest
import torch
from PIL import Image

from models.games import degrade
from models.rng import Rng
from models.spec.games import Mask


def rng(number: int = 0) -> torch.Generator:
    return Rng(3).stream("holes", number)


def test_edges_are_white_on_flat_areas_and_black_at_steps() -> None:
    x = torch.zeros(2, 3, 8, 8)
    assert torch.equal(degrade.edges(x), torch.ones_like(x))
    x[..., 4:], x[..., :4] = 0.6, -0.6
    drawing = degrade.edges(x)
    assert drawing.shape == x.shape
    assert torch.equal(drawing[..., 3:5], torch.full((2, 3, 8, 2), -1.0))
    assert torch.equal(drawing[..., [0, 1, 2, 5, 6, 7]], torch.ones(2, 3, 8, 6))


def test_edges_are_the_same_horizontally_and_vertically() -> None:
    x = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(degrade.edges(x).mT, degrade.edges(x.mT), rtol=0, atol=1e-6)  # sums in another order


@pytest.mark.parametrize("factor", [2, 4])
def test_downscaling_equals_bicubic_resizing_by_pillow(factor: int) -> None:
    pixels = np.random.default_rng(1).integers(60, 200, (16, 16), np.uint8)
    expected = Image.fromarray(pixels).resize((16 // factor, 16 // factor), Image.Resampling.BICUBIC)
    downscaled = degrade.downscale(torch.from_numpy(pixels)[None, None].float() / 127.5 - 1, factor)
    assert downscaled.shape == (1, 1, 16 // factor, 16 // factor)
    assert np.abs((downscaled[0, 0].numpy() + 1) * 127.5 - np.asarray(expected)).max() < 1


def test_downscaled_pictures_stay_in_range() -> None:
    x = torch.randint(0, 2, (4, 1, 16, 16)) * 2.0 - 1
    assert degrade.downscale(x, 2).abs().max() <= 1


def test_centre_and_left_masks_cover_the_middle_and_the_left_half() -> None:
    centre, left_half = degrade.hole_mask("centre", 2, 8, 16, rng()), degrade.hole_mask("left", 2, 8, 16, rng())
    assert centre.shape == left_half.shape == (2, 1, 8, 16)
    assert centre[:, :, 2:6, 4:12].min() == 1
    assert centre.sum() == 2 * 4 * 8
    assert left_half[..., :8].min() == 1
    assert left_half.sum() == 2 * 8 * 8


def test_random_holes_are_reproducible_boxes_of_a_quarter_to_half_of_each_side() -> None:
    holes = degrade.hole_mask("random", 2000, 16, 28, rng())
    high, wide = (holes.amax(dim=dim).sum(dim=(1, 2)) for dim in (3, 2))
    assert torch.equal(holes.sum(dim=(1, 2, 3)), high * wide), "boxes"
    assert [side.item() for side in (high.min(), high.max(), wide.min(), wide.max())] == [4, 8, 7, 14]
    assert holes.mean(dim=0).min() > 0, "every pixel is in some hole"
    assert torch.equal(holes, degrade.hole_mask("random", 2000, 16, 28, rng()))
    assert not torch.equal(holes, degrade.hole_mask("random", 2000, 16, 28, rng(1)))


@pytest.mark.parametrize("mask", ["random", "centre", "left"])
def test_hole_is_blanked_in_the_input_and_everything_else_is_kept(mask: Mask) -> None:
    x, generated = torch.rand(3, 2, 8, 8), torch.full((3, 2, 8, 8), -1.0)
    hole = degrade.hole_mask(mask, 3, 8, 8, rng())
    network_input, inside = degrade.cut_hole(x, hole), hole.bool().expand_as(x)
    assert network_input.shape == (3, 3, 8, 8)
    assert torch.equal(network_input[:, 2:], hole)
    assert network_input[:, :2][inside].abs().max() == 0
    filled = degrade.fill_hole(x, generated, hole)
    assert torch.equal(filled[~inside], x[~inside])
    assert torch.equal(filled[inside], generated[inside])
