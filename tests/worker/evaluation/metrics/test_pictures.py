"""Figures of pictures with known targets, against scipy's filters and formulas written out."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from tests.support.tensors import record_tensors
from worker.evaluation.metrics.pictures import (
    BASELINES,
    CHUNK_PIXELS,
    PictureStatistics,
    psnr,
    ssim,
    statistics_transfer,
)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


TARGETS = noise(3, 3, 24, 20)
GENERATED = (TARGETS + 0.4 * noise(3, 3, 24, 20, seed=2)).clamp(-1, 1)


def test_psnr_is_averaged_over_pictures() -> None:
    errors = (GENERATED - TARGETS).double().square().mean(dim=(1, 2, 3)).numpy()
    assert psnr(GENERATED, TARGETS) == pytest.approx(np.mean(10 * np.log10(4 / errors)), abs=1e-4)
    assert psnr(TARGETS, TARGETS) == 100
    assert psnr(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.2)) == pytest.approx(20)


def test_ssim_equals_the_formula_of_its_paper_with_scipys_filter() -> None:
    """The Gaussian window has 11 px and a deviation of 1.5, and must lie inside the picture."""

    def blurred(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(gaussian_filter(x, 1.5, radius=5))[5:-5, 5:-5]

    values = []
    for x, y in zip(GENERATED.double().flatten(0, 1).numpy(), TARGETS.double().flatten(0, 1).numpy(), strict=True):
        mx, my = blurred(x), blurred(y)
        vx, vy, both = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
        c1, c2 = 0.02**2, 0.06**2
        values.append(((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())
    assert ssim(GENERATED, TARGETS) == pytest.approx(np.mean(values), abs=1e-4)


def test_ssim_of_equal_small_and_flat_pictures() -> None:
    assert ssim(TARGETS, TARGETS) == pytest.approx(1)
    small = noise(2, 1, 8, 8)
    assert ssim(small, small) == pytest.approx(1), "smaller than the window"
    flat = torch.full((1, 1, 16, 16), 0.5)
    assert ssim(flat, -flat) == pytest.approx((2 * -0.25 + 0.0004) / (0.5 + 0.0004), abs=1e-4)


@pytest.mark.parametrize(("figure", "sums"), [(psnr, 1), (ssim, 5)])
def test_many_pictures_are_compared_in_chunks_of_bounded_memory(
    figure: Callable[[Tensor, Tensor], float], sums: int
) -> None:
    """A window over all pictures at once took about a thousand times their bytes."""
    generated, targets = noise(40, 3, 64, 64), noise(40, 3, 64, 64, seed=2)
    assert generated.numel() > CHUNK_PIXELS
    with record_tensors() as tensors:
        whole = figure(generated, targets)
    assert max(shape.numel() for _, shape in tensors) <= sums * CHUNK_PIXELS
    one_by_one = [figure(x[None], y[None]) for x, y in zip(generated, targets, strict=True)]
    assert whole == pytest.approx(np.mean(one_by_one), abs=1e-9)


def test_baselines_without_learning_do_what_their_names_say() -> None:
    x, source, target = noise(4, 3, 8, 8), noise(50, 3, 8, 8, seed=3) / 2, noise(60, 3, 8, 8, seed=4) / 4 + 0.3
    of_source, of_target = (PictureStatistics.of(torch.split(pictures, 20)) for pictures in (source, target))
    results = {name: baseline(x, of_source, of_target) for name, baseline in BASELINES.items()}
    assert results["untouched"] is x
    assert torch.allclose(results["mean_picture"], target.mean(0, keepdim=True).repeat(4, 1, 1, 1), atol=1e-6)
    transferred = statistics_transfer(source, of_source, of_target)
    assert torch.allclose(transferred.mean((0, 2, 3)), target.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(transferred.std((0, 2, 3)), target.std((0, 2, 3)), atol=1e-5)
    assert results["statistics_transfer"].abs().max() <= 1
