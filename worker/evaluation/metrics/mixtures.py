"""Metrics of points whose true distribution, a mixture of Gaussians, is known."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from data.toy import Mixture
from worker.evaluation.metrics.classes import kl_to_uniform

HIGH_QUALITY_SIGMAS = 3.0
"""standard deviations from a mode within which a point is of high quality"""
LINE_CELLS = 20
"""number of cells of equal mass on a line"""
LINE_RANGE = (-20.0, 20.0)
"""range of the line in which the bounds of these cells are searched"""


class Modes(NamedTuple):
    """The coverage of the modes of a mixture."""

    captured: int
    """number of modes that are the nearest of at least one high-quality point"""
    high_quality: float
    """share of points within three standard deviations of their nearest mode"""
    reverse_kl: float
    """KL(histogram of the points' nearest modes || uniform) in nats; 0 is best"""


def modes(points: Tensor, mixture: Mixture) -> Modes:
    """Count the modes of points [n, d] as VEEGAN does (Srivastava et al. 2017: 2,500 points).

    The reverse KL divergence, over all points, is PacGAN's (Lin et al. 2018). On a line, points in the tails of a wide
    mode also count as low quality: the high quality of true points is 0.997, in the plane 0.989.
    """
    centres, sigmas = torch.from_numpy(mixture.modes), torch.from_numpy(mixture.spreads)
    distance, nearest = torch.cdist(points.double(), centres).min(dim=1)
    high_quality = distance <= HIGH_QUALITY_SIGMAS * sigmas[nearest]
    counts = torch.bincount(nearest, minlength=len(centres))
    captured = len(torch.unique(nearest[high_quality]))
    return Modes(captured, float(high_quality.double().mean()), kl_to_uniform(counts))


def divergence(points: Tensor, mixture: Mixture) -> float:
    """Return KL(generated || true) in nats over cells whose true mass is known; 0 is best.

    In the plane the cells are the disc of three standard deviations around each mode, and the rest; on a line they are
    20 cells of equal mass. So a missing mode, uneven shares and points between the modes all increase it. For n points
    of the true mixture it is about the number of cells over 2 n; an earth mover's distance needs many more points.
    """
    cells, masses = _on_line(points, mixture) if mixture.modes.shape[1] == 1 else _in_plane(points, mixture)
    shares = torch.bincount(cells, minlength=len(masses)).double() / len(points)
    return float(torch.special.xlogy(shares, shares / masses).sum())


def _in_plane(points: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Return the cell [n] of each point, and the true masses of all cells, in the plane."""
    centres, sigmas = torch.from_numpy(mixture.modes), torch.from_numpy(mixture.spreads)
    distance, nearest = torch.cdist(points.double(), centres).min(dim=1)
    inside = -math.expm1(-(HIGH_QUALITY_SIGMAS**2) / 2) / len(centres)
    masses = torch.full((len(centres) + 1,), inside, dtype=torch.float64)
    masses[-1] = 1 - masses[:-1].sum()
    return torch.where(distance <= HIGH_QUALITY_SIGMAS * sigmas[nearest], nearest, len(centres)), masses


def _on_line(points: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor]:
    """Return the cell [n] of each point, and the true masses of all cells, on a line."""
    line = torch.linspace(*LINE_RANGE, 20_001, dtype=torch.float64)
    centres, sigmas = torch.from_numpy(mixture.modes), torch.from_numpy(mixture.spreads)
    cumulative = torch.special.ndtr((line - centres) / sigmas[:, None]).mean(dim=0)
    quantiles = torch.arange(1, LINE_CELLS, dtype=torch.float64) / LINE_CELLS
    bounds = line[torch.searchsorted(cumulative, quantiles)]
    return torch.bucketize(points[:, 0].double(), bounds), torch.full(
        (LINE_CELLS,), 1 / LINE_CELLS, dtype=torch.float64
    )
