"""Figures of picture quality: closed formulas over pictures, labels and features."""

import math

import torch
from torch import Tensor


def within_class_spread(pictures: Tensor, labels: Tensor) -> float:
    """How much pictures of one class differ: the standard deviation of a pixel within its class.

    Root of the variance averaged over pixels, averaged over classes. Prototypes alone give a small one.
    """
    flat = pictures.flatten(1).double() / 255
    spreads = [flat[labels == label].var(dim=0).mean().sqrt() for label in range(int(labels.max()) + 1)]
    return torch.stack(spreads).mean().item()


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Between the Gaussians fitted to two sets of features [n, d]: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))."""
    one, other = one.double(), other.double()
    apart = (one.mean(dim=0) - other.mean(dim=0)).square().sum()
    first, second = one.T.cov(), other.T.cov()
    root = _root(first)
    # The eigenvalues of C1 C2 are those of the symmetric root(C1) C2 root(C1).
    cross = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return float(apart + first.trace() + second.trace() - 2 * cross)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return root


def share_error(share: float, n: int) -> float:
    """Standard error of a share of n independent trials."""
    return math.sqrt(share * (1 - share) / n)
