"""Ways between vectors: their ends, their lengths, and vectors that span no circle."""

import numpy as np
import pytest

from app.services.inference.latent_space import linear, spherical, walk
from app.services.inference.latents import Codes

EAST, NORTH = np.array([1.0, 0.0]), np.array([0.0, 2.0])


def test_spherical_way_has_exact_ends_and_turns_evenly() -> None:
    assert (spherical(EAST, NORTH, 0) == EAST).all()
    assert np.allclose(spherical(EAST, NORTH, 1), NORTH)
    assert np.allclose(spherical(EAST, NORTH / 2, 0.5), np.sqrt([0.5, 0.5]))
    third = spherical(EAST, NORTH / 2, 1 / 3)
    assert np.arctan2(third[1], third[0]) == pytest.approx(np.pi / 6)


@pytest.mark.parametrize("other", [2 * EAST, -EAST, np.zeros(2), EAST])
def test_vectors_without_a_common_circle_are_joined_by_a_line(other: np.ndarray) -> None:
    for share in (0, 0.25, 1):
        assert np.allclose(spherical(EAST, other, share), linear(EAST, other, share))
    assert np.isfinite(spherical(other, EAST, 0.3)).all()


@pytest.mark.parametrize("mode", ["slerp", "linear"])
def test_walk_meets_its_waypoints_exactly(mode: str) -> None:
    codes = Codes(np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32))
    walked = walk(codes, 9, mode, loop=False).latents  # type: ignore[arg-type]
    assert (walked[[0, 4, 8]] == codes.latents).all()
    looped = walk(codes, 9, mode, loop=True).latents  # type: ignore[arg-type]
    assert (looped[[0, 3, 6]] == codes.latents).all()
    assert walked.dtype == np.float32
