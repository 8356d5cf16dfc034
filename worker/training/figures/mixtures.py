"""Modes of points whose true distribution is known."""

from typing import NamedTuple

import torch
from torch import Tensor

from models.truth import Mixture
from worker.training.figures.classes import kl_to_uniform


class Modes(NamedTuple):
    captured: int
    """modes that are the nearest of at least one high-quality point"""
    high_quality: float
    """share of points within three standard deviations of their nearest mode"""
    reverse_kl: float
    """KL(histogram of nearest modes || uniform) in nats; 0 is best"""


def modes(points: Tensor, mixture: Mixture) -> Modes:
    """Of points [n, d], counted as VEEGAN does (Srivastava et al. 2017: 2,500 points).

    The reverse KL divergence, over all points, is PacGAN's (Lin et al. 2018). On a line the tails of a wide mode count
    as low quality like any point that far out: true points have 0.997, in the plane 0.989.
    """
    centres, spreads = torch.from_numpy(mixture.modes), torch.from_numpy(mixture.spreads)
    distance, nearest = torch.cdist(points.double(), centres).min(dim=1)
    good = distance <= 3 * spreads[nearest]
    counts = torch.bincount(nearest, minlength=len(centres))
    return Modes(len(torch.unique(nearest[good])), float(good.double().mean()), kl_to_uniform(counts))
