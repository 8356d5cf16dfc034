"""Figures of nearest neighbours, against scikit-learn's KDTree."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.neighbors import KDTree
from torch import Tensor

from worker.evaluation.metrics import neighbours
from worker.evaluation.metrics.neighbours import copies, density_coverage, nearest, precision, recall, variety


def cloud(n: int, seed: int, wide: float = 1.0) -> Tensor:
    return wide * torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


REAL, FAKE = cloud(300, 1), cloud(250, 2, wide=0.7) + 0.4


@pytest.fixture(autouse=True, params=[1 << 25, 1000], ids=["in one block", "in many blocks"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MAX_DISTANCES", request.param)


def radii(x: Tensor, k: int) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = KDTree(x.double().numpy()).query(x.double().numpy(), k + 1)[0][:, k]
    return distances


def lower_median(x: NDArray[np.float64]) -> float:
    """Return the median; of an even count the lower of the two middle values, as torch does."""
    return float(np.quantile(x, 0.5, method="lower"))


def inside(x: Tensor, centres: Tensor, k: int) -> NDArray[np.bool_]:
    """Return [n, m]: whether each x lies within the distance of each centre to its k-th neighbour."""
    tree = KDTree(x.double().numpy())
    is_inside = np.zeros((len(x), len(centres)), bool)
    for column, rows in enumerate(tree.query_radius(centres.double().numpy(), radii(centres, k))):
        is_inside[rows, column] = True
    return is_inside


def test_precision_and_recall_are_shares_inside_any_neighbourhood() -> None:
    assert precision(REAL, FAKE) == pytest.approx(inside(FAKE, REAL, 3).any(axis=1).mean(), abs=1e-4)
    assert recall(REAL, FAKE) == pytest.approx(inside(REAL, FAKE, 3).any(axis=1).mean(), abs=1e-4)
    assert 0.3 < recall(REAL, FAKE) < precision(REAL, FAKE) < 1


def test_density_counts_neighbourhoods_and_coverage_the_occupied_ones() -> None:
    density, coverage = density_coverage(REAL, FAKE)
    is_inside = inside(FAKE, REAL, 5)
    assert density == pytest.approx(is_inside.sum(axis=1).mean() / 5, abs=1e-4)
    assert coverage == pytest.approx(is_inside.any(axis=0).mean(), abs=1e-4)


def test_equal_sets_have_full_figures_and_distant_sets_have_zero() -> None:
    assert precision(REAL, REAL) == recall(REAL, REAL) == 1
    assert density_coverage(REAL, REAL)[1] == 1
    assert precision(REAL, REAL + 100) == recall(REAL, REAL + 100) == 0
    assert density_coverage(REAL, REAL + 100) == (0, 0)


def test_single_repeated_point_has_full_precision_and_hardly_any_coverage() -> None:
    same = REAL[:1].expand(250, -1)
    assert (precision(REAL, same), recall(REAL, same)) == pytest.approx((1, 1 / 300))
    assert density_coverage(REAL, same)[1] < 0.1


def test_too_few_examples_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="5 neighbours need more than 5 examples"):
        density_coverage(REAL[:5], FAKE)


def test_nearest_equals_the_result_of_a_kd_tree() -> None:
    expected = KDTree(REAL.double().numpy()).query(FAKE.double().numpy())[1][:, 0]
    assert nearest(REAL, FAKE).tolist() == expected.tolist()


def test_variety_is_the_ratio_of_median_nearest_neighbour_distances() -> None:
    expected = lower_median(radii(FAKE, 1)) / lower_median(radii(REAL, 1))
    assert variety(REAL, FAKE) == pytest.approx(expected, abs=1e-4)
    assert variety(REAL, REAL + 5) == pytest.approx(1)
    assert variety(REAL, REAL[:30].repeat(10, 1)) == 0, "each example appears ten times"


def test_copies_are_much_nearer_to_the_data_than_the_data_to_each_other() -> None:
    spacing = lower_median(radii(REAL, 1))
    offsets = torch.nn.functional.normalize(cloud(100, 3), dim=1) * spacing
    generated = torch.cat([REAL[:60] + 0.01 * offsets[:60], REAL[60:100] + 100 * offsets[60:]])
    assert copies(REAL, generated) == pytest.approx(0.6)
    distances = KDTree(REAL.double().numpy()).query(FAKE.double().numpy())[0][:, 0]
    assert copies(REAL, FAKE, near=1) == pytest.approx((distances < spacing).mean(), abs=1e-4)


def test_pictures_are_compared_as_flat_rows() -> None:
    pictures = torch.randint(0, 256, (40, 1, 30, 30), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    assert copies(pictures, pictures) == 1
    assert copies(pictures, 255 - pictures) == 0
    assert nearest(pictures, pictures).tolist() == list(range(40))
