"""Pictures beside known answers, against scipy's filters and sums written out."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from worker.training.figures.pictures import BASELINES, psnr, ssim, statistics_transfer


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


WANTED = noise(3, 3, 24, 20)
MADE = (WANTED + 0.4 * noise(3, 3, 24, 20, seed=2)).clamp(-1, 1)


def test_psnr_is_the_mean_of_each_pictures_own() -> None:
    errors = (MADE - WANTED).double().square().mean(dim=(1, 2, 3)).numpy()
    assert psnr(MADE, WANTED) == pytest.approx(np.mean(10 * np.log10(4 / errors)), abs=1e-4)
    assert psnr(WANTED, WANTED) == 100
    assert psnr(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.2)) == pytest.approx(20)


def test_ssim_is_the_papers_formula_with_scipys_filter() -> None:
    """A Gaussian window of 11 px and deviation 1.5, only where it lies inside the picture."""

    def blurred(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(gaussian_filter(x, 1.5, radius=5))[5:-5, 5:-5]

    found = []
    for x, y in zip(MADE.double().flatten(0, 1).numpy(), WANTED.double().flatten(0, 1).numpy(), strict=True):
        mx, my = blurred(x), blurred(y)
        vx, vy, both = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
        c1, c2 = 0.02**2, 0.06**2
        found.append(((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())
    assert ssim(MADE, WANTED) == pytest.approx(np.mean(found), abs=1e-4)


def test_ssim_of_what_is_known_by_hand() -> None:
    assert ssim(WANTED, WANTED) == pytest.approx(1)
    small = noise(2, 1, 8, 8)
    assert ssim(small, small) == pytest.approx(1), "smaller than the window"
    flat = torch.full((1, 1, 16, 16), 0.5)
    assert ssim(flat, -flat) == pytest.approx((2 * -0.25 + 0.0004) / (0.5 + 0.0004), abs=1e-4)


def test_what_does_without_learning() -> None:
    x, source, target = noise(4, 3, 8, 8), noise(50, 3, 8, 8, seed=3) / 2, noise(60, 3, 8, 8, seed=4) / 4 + 0.3
    made = {name: baseline(x, source, target) for name, baseline in BASELINES.items()}
    assert made["untouched"] is x
    assert torch.equal(made["mean_picture"], target.mean(0, keepdim=True).repeat(4, 1, 1, 1))
    moved = statistics_transfer(source, source, target)
    assert torch.allclose(moved.mean((0, 2, 3)), target.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(moved.std((0, 2, 3)), target.std((0, 2, 3)), atol=1e-5)
    assert made["statistics_transfer"].abs().max() <= 1
