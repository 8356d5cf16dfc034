"""Metrics of pictures against targets, and baselines that learn nothing. Pictures are [n, c, h, w] in [-1, 1]."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

RANGE = 2.0
"""difference between the largest and the smallest value of a pixel"""
WINDOW_SIDE, WINDOW_SIGMA = 11, 1.5
"""side in pixels and standard deviation of SSIM's window, as in the paper"""
CHUNK_PIXELS = 2**18
"""most numbers of outputs in a chunk of more than one picture: the windows take some hundred times their bytes"""


def psnr(output: Tensor, target: Tensor) -> float:
    """Return the peak signal-to-noise ratio in decibels, the mean over pictures; 100 at most."""
    return _mean(_decibels(x, y) for x, y in _chunks(output, target))


def _decibels(output: Tensor, target: Tensor) -> Tensor:
    error = (output - target).double().square().flatten(1).mean(1) / RANGE**2
    return -10 * error.clamp(min=1e-10).log10()


def ssim(output: Tensor, target: Tensor) -> float:
    """Return the structural similarity (Wang et al. 2004), the mean over pictures, channels and windows; 1 is equal.

    Windows lie inside the picture; where its edge is shorter than a window's, the window is as short.
    """
    return _mean(_similarity(x, y) for x, y in _chunks(output, target))


def _similarity(output: Tensor, target: Tensor) -> Tensor:
    x, y = (pictures.double().flatten(0, 1).unsqueeze(1) for pictures in (output, target))
    mx, my, xx, yy, xy = _blurred(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    c1, c2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    light = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
    structure = (2 * (xy - mx * my) + c2) / (xx - mx**2 + yy - my**2 + c2)
    return (light * structure).flatten(1).mean(1)


def _blurred(x: Tensor) -> Tensor:
    """Blur [n, 1, h, w] by the window, which is a product of one for columns and one for rows."""
    down, along = _window(x.shape[2])[:, None], _window(x.shape[3])[None, :]
    return F.conv2d(F.conv2d(x, down[None, None]), along[None, None])


def _chunks(output: Tensor, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    size = max(1, CHUNK_PIXELS // output[0].numel())
    return zip(torch.split(output, size), torch.split(target, size), strict=True)


def _mean(parts: Iterable[Tensor]) -> float:
    return float(torch.cat(list(parts)).mean())


def _window(side: int) -> Tensor:
    positions = torch.arange(min(WINDOW_SIDE, side), dtype=torch.float64)
    heights = torch.exp(-((positions - positions.mean()) ** 2) / (2 * WINDOW_SIGMA**2))
    return heights / heights.sum()


@dataclass(frozen=True, eq=False)
class PictureStatistics:
    """The statistics of pictures: their mean [c, h, w], and mean and standard deviation of each channel [c, 1, 1]."""

    picture: Tensor
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, parts: Iterable[Tensor]) -> "PictureStatistics":
        """Compute the statistics of pictures that come in chunks."""
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for part in parts:
            x = part.double()
            count, total, squares = count + len(x), total + x.sum(0), squares + x.square().sum((0, 2, 3))
        pixels = count * total[0].numel()
        mean = total.sum((1, 2)) / pixels
        deviation = ((squares - pixels * mean**2) / (pixels - 1)).clamp(min=0).sqrt()
        return cls((total / count).float(), mean[:, None, None].float(), deviation[:, None, None].float())


def identity(x: Tensor, source: PictureStatistics, target: PictureStatistics) -> Tensor:
    """Return the input: a baseline of translation."""
    return x


def mean_picture(x: Tensor, source: PictureStatistics, target: PictureStatistics) -> Tensor:
    """Return the mean picture of the target domain for every input: a baseline of translation."""
    return target.picture.expand_as(x)


def statistics_transfer(x: Tensor, source: PictureStatistics, target: PictureStatistics) -> Tensor:
    """Move each channel from the source's mean and deviation to the target's (after Reinhard et al. 2001)."""
    moved = (x - source.mean) / source.deviation.clamp(min=1e-6) * target.deviation + target.mean
    return moved.clamp(-1, 1)


BASELINES = {"untouched": identity, "mean_picture": mean_picture, "statistics_transfer": statistics_transfer}
"""translations of x [n, c, h, w] that use nothing but the statistics of the source and the target domain"""
