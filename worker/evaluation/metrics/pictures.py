"""Compare pictures with known answers, and with baselines that learn nothing. Pictures are [n, c, h, w] in [-1, 1]."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

RANGE = 2.0
WINDOW_SIDE, WINDOW_SIGMA = 11, 1.5
"""side in pixels and standard deviation of the window of the paper"""
CHUNK_PIXELS = 2**18
"""numbers of a pile that are compared together, at least one picture's: windows take some hundred times their bytes"""


def psnr(made: Tensor, wanted: Tensor) -> float:
    """Peak signal-to-noise ratio in decibels, the mean over pictures; 100 at most."""
    return _mean(_decibels(x, y) for x, y in _parts(made, wanted))


def _decibels(made: Tensor, wanted: Tensor) -> Tensor:
    error = (made - wanted).double().square().flatten(1).mean(1) / RANGE**2
    return -10 * error.clamp(min=1e-10).log10()


def ssim(made: Tensor, wanted: Tensor) -> float:
    """Structural similarity (Wang et al. 2004), the mean over pictures, channels and places; 1 is equal.

    Windows lie inside the picture; a picture with shorter sides than a window has is one window.
    """
    return _mean(_likeness(x, y) for x, y in _parts(made, wanted))


def _likeness(made: Tensor, wanted: Tensor) -> Tensor:
    x, y = (pile.double().flatten(0, 1).unsqueeze(1) for pile in (made, wanted))
    mx, my, xx, yy, xy = _blurred(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    c1, c2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    light = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
    structure = (2 * (xy - mx * my) + c2) / (xx - mx**2 + yy - my**2 + c2)
    return (light * structure).flatten(1).mean(1)


def _blurred(x: Tensor) -> Tensor:
    """[n, 1, h, w] seen through the window, which is a product of one for columns and one for rows."""
    down, along = _window(x.shape[2])[:, None], _window(x.shape[3])[None, :]
    return F.conv2d(F.conv2d(x, down[None, None]), along[None, None])


def _parts(made: Tensor, wanted: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    together = max(1, CHUNK_PIXELS // made[0].numel())
    return zip(torch.split(made, together), torch.split(wanted, together), strict=True)


def _mean(parts: Iterable[Tensor]) -> float:
    return float(torch.cat(list(parts)).mean())


def _window(side: int) -> Tensor:
    places = torch.arange(min(WINDOW_SIDE, side), dtype=torch.float64)
    heights = torch.exp(-((places - places.mean()) ** 2) / (2 * WINDOW_SIGMA**2))
    return heights / heights.sum()


@dataclass(frozen=True, eq=False)
class PictureStatistics:
    """What is known of many pictures: their mean [c, h, w], and of each channel mean and deviation [c, 1, 1]."""

    picture: Tensor
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, parts: Iterable[Tensor]) -> "PictureStatistics":
        """Of pictures that come part by part."""
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for part in parts:
            x = part.double()
            count, total, squares = count + len(x), total + x.sum(0), squares + x.square().sum((0, 2, 3))
        places = count * total[0].numel()
        mean = total.sum((1, 2)) / places
        deviation = ((squares - places * mean**2) / (places - 1)).clamp(min=0).sqrt()
        return cls((total / count).float(), mean[:, None, None].float(), deviation[:, None, None].float())


def untouched(x: Tensor, source: PictureStatistics, target: PictureStatistics) -> Tensor:
    """Baseline of translation: nothing is done."""
    return x


def mean_picture(x: Tensor, source: PictureStatistics, target: PictureStatistics) -> Tensor:
    """Baseline of translation: whatever is given, the mean of the target pile."""
    return target.picture.expand_as(x)


def statistics_transfer(x: Tensor, source: PictureStatistics, target: PictureStatistics) -> Tensor:
    """Baseline of translation: each channel scaled and shifted so that the source pile gets the target pile's mean and
    standard deviation (after Reinhard et al. 2001)."""
    moved = (x - source.mean) / source.deviation.clamp(min=1e-6) * target.deviation + target.mean
    return moved.clamp(-1, 1)


BASELINES = {"untouched": untouched, "mean_picture": mean_picture, "statistics_transfer": statistics_transfer}
"""ways to translate x [n, c, h, w] that learn nothing but what two unpaired piles show"""
