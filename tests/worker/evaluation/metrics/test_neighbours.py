"""Neighbours against scikit-learn's, which come by a tree."""

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


@pytest.fixture(autouse=True, params=[1 << 25, 1000], ids=["at once", "in blocks"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MAX_DISTANCES", request.param)


def radii(x: Tensor, k: int) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = KDTree(x.double().numpy()).query(x.double().numpy(), k + 1)[0][:, k]
    return distances


def middle(x: NDArray[np.float64]) -> float:
    """The median; of an even number the lower of both in the middle."""
    return float(np.quantile(x, 0.5, method="lower"))


def inside(x: Tensor, centres: Tensor, k: int) -> NDArray[np.bool_]:
    """[n, m]: whether x lies in the ball of each centre."""
    tree = KDTree(x.double().numpy())
    found = np.zeros((len(x), len(centres)), bool)
    for column, rows in enumerate(tree.query_radius(centres.double().numpy(), radii(centres, k))):
        found[rows, column] = True
    return found


def test_precision_and_recall_count_who_lies_in_some_ball() -> None:
    assert precision(REAL, FAKE) == pytest.approx(inside(FAKE, REAL, 3).any(axis=1).mean(), abs=1e-4)
    assert recall(REAL, FAKE) == pytest.approx(inside(REAL, FAKE, 3).any(axis=1).mean(), abs=1e-4)
    assert 0.3 < recall(REAL, FAKE) < precision(REAL, FAKE) < 1


def test_density_counts_balls_and_coverage_those_that_are_met() -> None:
    density, coverage = density_coverage(REAL, FAKE)
    met = inside(FAKE, REAL, 5)
    assert density == pytest.approx(met.sum(axis=1).mean() / 5, abs=1e-4)
    assert coverage == pytest.approx(met.any(axis=0).mean(), abs=1e-4)


def test_equal_sets_lie_in_one_another_and_far_ones_do_not() -> None:
    assert precision(REAL, REAL) == recall(REAL, REAL) == 1
    assert density_coverage(REAL, REAL)[1] == 1
    assert precision(REAL, REAL + 100) == recall(REAL, REAL + 100) == 0
    assert density_coverage(REAL, REAL + 100) == (0, 0)


def test_a_single_point_drawn_over_and_over_is_precise_and_covers_nothing() -> None:
    same = REAL[:1].expand(250, -1)
    assert (precision(REAL, same), recall(REAL, same)) == pytest.approx((1, 1 / 300))
    assert density_coverage(REAL, same)[1] < 0.1


def test_too_few_examples_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="5 neighbours need more than 5 examples"):
        density_coverage(REAL[:5], FAKE)


def test_nearest_is_who_the_tree_finds() -> None:
    wanted = KDTree(REAL.double().numpy()).query(FAKE.double().numpy())[1][:, 0]
    assert nearest(REAL, FAKE).tolist() == wanted.tolist()


def test_variety_compares_how_far_the_nearest_other_is() -> None:
    wanted = middle(radii(FAKE, 1)) / middle(radii(REAL, 1))
    assert variety(REAL, FAKE) == pytest.approx(wanted, abs=1e-4)
    assert variety(REAL, REAL + 5) == pytest.approx(1)
    assert variety(REAL, REAL[:30].repeat(10, 1)) == 0, "each is drawn ten times"


def test_copies_are_those_much_nearer_than_training_examples_are_to_one_another() -> None:
    usual = middle(radii(REAL, 1))
    away = torch.nn.functional.normalize(cloud(100, 3), dim=1) * usual
    copied = torch.cat([REAL[:60] + 0.01 * away[:60], REAL[60:100] + 100 * away[60:]])
    assert copies(REAL, copied) == pytest.approx(0.6)
    distances = KDTree(REAL.double().numpy()).query(FAKE.double().numpy())[0][:, 0]
    assert copies(REAL, FAKE, near=1) == pytest.approx((distances < usual).mean(), abs=1e-4)


def test_pictures_are_compared_flattened() -> None:
    pictures = torch.randint(0, 256, (40, 1, 30, 30), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    assert copies(pictures, pictures) == 1
    assert copies(pictures, 255 - pictures) == 0
    assert nearest(pictures, pictures).tolist() == list(range(40))
