"""Distances between two sets of features or examples: Fréchet (FID), kernel (KID), Wasserstein."""

import torch
from torch import Tensor

from worker.evaluation.metrics.neighbours import blocks


def frechet(real: Tensor, generated: Tensor) -> float:
    """Return the Fréchet distance of the Gaussians fitted to two sets of features [n, d] (Heusel et al. 2017).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in the features' unit squared; 0 is best. It falls with the number of
    examples, so only distances of equally many examples are comparable.
    """
    real, generated = real.double(), generated.double()
    means = (real.mean(dim=0) - generated.mean(dim=0)).square().sum()
    one, other = real.T.cov(), generated.T.cov()
    root = _root(one)
    # The eigenvalues of C1 C2 are those of the symmetric root(C1) C2 root(C1).
    cross = torch.linalg.eigvalsh(root @ other @ root).clamp(min=0).sqrt().sum()
    # Rounding may make the distance of equal sets slightly negative.
    return float((means + one.trace() + other.trace() - 2 * cross).clamp(min=0))


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
    return root


def kid(real: Tensor, generated: Tensor) -> float:
    """Return the squared maximum mean discrepancy of features [n, d], kernel (x.y / d + 1)^3 (Binkowski et al. 2018).

    Unbiased: equal distributions give 0 on average whatever n is, and single figures may be negative.
    """
    real, generated = real.double(), generated.double()
    within = [
        (_kernels(x, x) - _kernel(x.square().sum(dim=1), x).sum()) / (len(x) * (len(x) - 1)) for x in (real, generated)
    ]
    return float(sum(within) - 2 * _kernels(real, generated) / (len(real) * len(generated)))


def _kernels(x: Tensor, y: Tensor) -> Tensor:
    """Return the sum of the kernel over all pairs."""
    return torch.stack([_kernel(part @ y.T, y).sum() for part in blocks(x, len(y))]).sum()


def _kernel(products: Tensor, features: Tensor) -> Tensor:
    return (products / features.shape[1] + 1) ** 3


def sliced_wasserstein(x: Tensor, y: Tensor, rng: torch.Generator, projections: int = 256) -> float:
    """Return the root mean square over random directions of the 2-Wasserstein distance of x [n, d] and y [m, d].

    In the unit of the examples (Rabin et al. 2011; Bonneel et al. 2015).
    """
    from ot.sliced import sliced_wasserstein_distance

    directions = torch.randn(x[0].numel(), projections, generator=rng, dtype=torch.float64)
    directions /= directions.norm(dim=0)
    return float(sliced_wasserstein_distance(_rows(x), _rows(y), projections=directions))


def sinkhorn(x: Tensor, y: Tensor, regularisation: float = 0.05) -> float:
    """Return the Sinkhorn divergence of x [n, d] and y [m, d] with Euclidean cost.

    S(x, y) - (S(x, x) + S(y, y)) / 2 (Cuturi 2013; Genevay et al. 2018), which is 0 for equal sets and in the unit of
    the examples. `regularisation` is a share of the mean distance within x.
    """
    x, y = _rows(x), _rows(y)
    blur = regularisation * float(torch.cdist(x, x).mean())
    return _entropic(x, y, blur) - (_entropic(x, x, blur) + _entropic(y, y, blur)) / 2


def _entropic(x: Tensor, y: Tensor, blur: float) -> float:
    """Return the transport cost of the entropic plan."""
    from ot.bregman import sinkhorn_log

    costs = torch.cdist(x, y)
    plan = sinkhorn_log([], [], costs, blur, numItermax=1000, stopThr=1e-5, warn=False)
    return float((plan * costs).sum())


def transport(x: Tensor, y: Tensor) -> float:
    """Return the exact earth mover's distance (1-Wasserstein) of x [n, d] and y [m, d], in the unit of the examples.

    The mean Euclidean distance of the cheapest plan (Rubner et al. 2000; Bonneel et al. 2011 for the solver). 2,500
    points take about a second, and the time grows faster than their square.
    """
    from ot.lp import emd2

    return float(emd2([], [], torch.cdist(_rows(x), _rows(y)).numpy(), numItermax=10_000_000))


def _rows(x: Tensor) -> Tensor:
    return x.flatten(1).double().cpu()
