"""How near pictures come to known answers, and what does without learning. Pictures are [n, c, h, w] in [-1, 1]."""

import torch
import torch.nn.functional as F
from torch import Tensor

RANGE = 2.0
WINDOW, WIDTH = 11, 1.5
"""side in pixels and standard deviation of the window of the paper"""


def psnr(made: Tensor, wanted: Tensor) -> float:
    """Peak signal-to-noise ratio in decibels, the mean over pictures; 100 at most."""
    error = (made - wanted).double().square().flatten(1).mean(1) / RANGE**2
    return float((-10 * error.clamp(min=1e-10).log10()).mean())


def ssim(made: Tensor, wanted: Tensor) -> float:
    """Structural similarity (Wang et al. 2004), the mean over pictures, channels and places; 1 is equal.

    Windows lie inside the picture; a picture with shorter sides than a window has is one window.
    """
    x, y = (pile.double().flatten(0, 1).unsqueeze(1) for pile in (made, wanted))
    window = _window(x.shape[2])[:, None] * _window(x.shape[3])[None, :]
    stacked = torch.cat([x, y, x * x, y * y, x * y])
    mx, my, xx, yy, xy = F.conv2d(stacked, window[None, None]).chunk(5)
    c1, c2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    light = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
    structure = (2 * (xy - mx * my) + c2) / (xx - mx**2 + yy - my**2 + c2)
    return float((light * structure).mean())


def _window(side: int) -> Tensor:
    places = torch.arange(min(WINDOW, side), dtype=torch.float64)
    heights = torch.exp(-((places - places.mean()) ** 2) / (2 * WIDTH**2))
    return heights / heights.sum()


def untouched(x: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Baseline of translation: nothing is done."""
    return x


def mean_picture(x: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Baseline of translation: whatever is given, the mean of the target pile."""
    return target.mean(dim=0).expand_as(x)


def statistics_transfer(x: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Baseline of translation: each channel scaled and shifted so that the source pile gets the target pile's mean and
    standard deviation (after Reinhard et al. 2001)."""
    (mean, deviation), (wanted, width) = (_statistics(pile) for pile in (source, target))
    return ((x - mean) / deviation.clamp(min=1e-6) * width + wanted).clamp(-1, 1)


def _statistics(pile: Tensor) -> tuple[Tensor, Tensor]:
    """Of each channel [1, c, 1, 1]."""
    deviation, mean = torch.std_mean(pile, dim=(0, 2, 3), keepdim=True)
    return mean, deviation


BASELINES = {"untouched": untouched, "mean_picture": mean_picture, "statistics_transfer": statistics_transfer}
"""ways to translate x [n, c, h, w] that learn nothing but what two unpaired piles show"""
