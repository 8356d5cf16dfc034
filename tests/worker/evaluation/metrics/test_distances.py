"""Distances, against other ways to compute them: scipy's matrix root, scikit-learn's kernel, linear programs."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment, linprog
from scipy.stats import wasserstein_distance
from sklearn.metrics.pairwise import polynomial_kernel
from torch import Tensor

from worker.evaluation.metrics import distances
from worker.evaluation.metrics.distances import frechet, kid, sinkhorn, sliced_wasserstein, transport


def gaussian(n: int, d: int, seed: int = 1) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


REAL, FAKE = gaussian(200, 16), gaussian(150, 16, seed=2) @ gaussian(16, 16, seed=3) / 4 + 0.3


@pytest.mark.parametrize("n", [150, 10])
def test_frechet_equals_the_formula_with_scipys_matrix_root(n: int) -> None:
    """Also with fewer examples than features, where the covariances are singular."""
    real, fake = REAL[:n].double().numpy(), FAKE[:n].double().numpy()
    real_covariance, fake_covariance = np.cov(real.T), np.cov(fake.T)
    cross = np.trace(sqrtm(real_covariance @ fake_covariance).real)
    expected = (
        np.square(real.mean(0) - fake.mean(0)).sum() + np.trace(real_covariance) + np.trace(fake_covariance) - 2 * cross
    )
    assert frechet(REAL[:n], FAKE[:n]) == pytest.approx(expected, rel=1e-4)


def test_frechet_of_shifted_and_scaled_data_equals_the_closed_form() -> None:
    """A shift counts with its square; the distance between N(0, C) and N(0, s^2 C) is (s - 1)^2 tr C."""
    x = REAL.double() - REAL.double().mean(dim=0)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet(x, x + 0.5) == pytest.approx(16 * 0.25)
    assert frechet(x, 3 * x) == pytest.approx(4 * x.T.cov().trace().item())


def test_kid_equals_the_unbiased_discrepancy_with_scikit_learns_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = REAL.double().numpy(), FAKE.double().numpy()

    def within(x: NDArray[np.float64]) -> float:
        kernel = polynomial_kernel(x, degree=3, gamma=1 / 16, coef0=1)
        return float((kernel.sum() - kernel.trace()) / (len(x) * (len(x) - 1)))

    expected = within(real) + within(fake) - 2 * polynomial_kernel(real, fake, degree=3, gamma=1 / 16, coef0=1).mean()
    assert kid(REAL, FAKE) == pytest.approx(expected, rel=1e-4)
    monkeypatch.setattr("worker.evaluation.metrics.neighbours.MAX_DISTANCES", 1000)
    assert kid(REAL, FAKE) == pytest.approx(expected, rel=1e-4), "computed in blocks"


def test_kid_of_few_examples_of_equal_distributions_is_zero_on_average() -> None:
    distances = [kid(gaussian(20, 8, seed), gaussian(20, 8, seed + 100)) for seed in range(200)]
    assert abs(np.mean(distances)) < 3 * np.std(distances) / len(distances) ** 0.5


def test_transport_equals_the_linear_program() -> None:
    x, y = gaussian(12, 2), gaussian(9, 2, seed=2) + 1
    costs = torch.cdist(x.double(), y.double()).numpy()
    rows, columns = np.kron(np.eye(12), np.ones(9)), np.kron(np.ones(12), np.eye(9))
    shares = np.concatenate([np.full(12, 1 / 12), np.full(9, 1 / 9)])
    expected = linprog(costs.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=shares).fun
    assert transport(x, y) == pytest.approx(expected, abs=1e-4)


def test_transport_of_equal_counts_equals_the_cheapest_assignment() -> None:
    costs = torch.cdist(REAL[:150].double(), FAKE.double()).numpy()
    assert transport(REAL[:150], FAKE) == pytest.approx(costs[linear_sum_assignment(costs)].mean(), abs=1e-4)


def test_transport_on_a_line_equals_scipys_wasserstein_distance() -> None:
    x, y = gaussian(500, 1), 2 * gaussian(500, 1, seed=2) - 1
    assert transport(x, y) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]), abs=1e-4)


def test_sliced_wasserstein_compares_sorted_projections() -> None:
    x, y = gaussian(100, 3), gaussian(100, 3, seed=2) + 1
    directions = torch.randn(3, 64, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    directions /= directions.square().sum(dim=0).sqrt()
    projections = [(cloud.double() @ directions).sort(dim=0).values for cloud in (x, y)]
    expected = (projections[0] - projections[1]).square().mean().sqrt().item()
    assert sliced_wasserstein(x, y, torch.Generator().manual_seed(7), 64) == pytest.approx(expected, abs=1e-4)


def test_sinkhorn_with_little_regularisation_approaches_transport() -> None:
    x, y = gaussian(60, 2), gaussian(60, 2, seed=2) + 3
    assert sinkhorn(x, y, regularisation=0.01) == pytest.approx(transport(x, y), rel=0.02)


def test_sinkhorn_equals_plain_sinkhorn_iterations() -> None:
    x, y = gaussian(30, 2), gaussian(40, 2, seed=2) + 1
    blur = 0.3 * float(torch.cdist(x.double(), x.double()).mean())

    def cost(x: Tensor, y: Tensor) -> float:
        costs = torch.cdist(x.double(), y.double())
        kernel, v = (-costs / blur).exp(), torch.ones(len(y), dtype=torch.float64)
        for _ in range(2_000):
            u = 1 / len(x) / (kernel @ v)
            v = 1 / len(y) / (kernel.T @ u)
        return float((u[:, None] * kernel * v * costs).sum())

    expected = cost(x, y) - (cost(x, x) + cost(y, y)) / 2
    assert sinkhorn(x, y, regularisation=0.3) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("figure", ["sinkhorn", "transport"])
def test_distance_between_equal_sets_is_zero(figure: str) -> None:
    assert getattr(distances, figure)(REAL[:50], REAL[:50]) == pytest.approx(0, abs=1e-6)
    assert sliced_wasserstein(REAL, REAL, torch.Generator().manual_seed(1)) == pytest.approx(0, abs=1e-6)
