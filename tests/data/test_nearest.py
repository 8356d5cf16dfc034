"""The nearest pictures: exact distances, ties by number, itself left out, and memory independent of the set."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from data import nearest as search
from data.nearest import nearest, typical_distance

Pixels = NDArray[np.uint8]


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def test_every_picture_is_nearest_to_itself_at_distance_0() -> None:
    pictures = noise(300, 12, 12, 3)
    found = nearest(pictures, pictures[[7, 299]], 2)
    assert found.rows[:, 0].tolist() == [7, 299]
    assert found.distances[:, 0].tolist() == [0, 0]
    assert (found.distances[:, 1] > 0).all()


def test_distance_is_the_root_mean_square_difference_of_pixels() -> None:
    pictures, query = noise(40, 8, 8, 1), noise(41, 8, 8, 1)[40:]
    differences = (pictures.astype(float) - query) / 255
    expected = np.sqrt((differences**2).mean(axis=(1, 2, 3)))
    found = nearest(pictures, query, 5)
    assert found.rows[0].tolist() == np.argsort(expected)[:5].tolist()
    assert np.allclose(found.distances[0], np.sort(expected)[:5], rtol=1e-14)
    black, white = np.zeros((1, 8, 8, 1), np.uint8), np.full((1, 8, 8, 1), 255, np.uint8)
    assert nearest(black, white, 1).distances.item() == 1


def test_result_does_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = noise(101, 8, 8, 1)
    pictures[90] = pictures[3]
    whole = nearest(pictures, pictures[[3, 90]], 3)
    monkeypatch.setattr(search, "CHUNK_BYTES", 64 * 7)
    parts = nearest(pictures, pictures[[3, 90]], 3)
    assert (whole.rows == parts.rows).all()
    assert (whole.distances == parts.distances).all()
    assert whole.rows[:, :2].tolist() == [[3, 90], [3, 90]], "of equal distances the smaller number comes first"


def test_typical_distance_leaves_each_picture_itself_out() -> None:
    pictures = np.zeros((4, 2, 2, 1), np.uint8)
    pictures[:, 0, 0, 0] = [0, 51, 102, 153]
    assert typical_distance(pictures) == pytest.approx(51 / 255 / 2)
    assert typical_distance(np.zeros((2, 2, 2, 1), np.uint8)) == 0, "copies are copies"
    assert typical_distance(pictures[:1]) is None


def test_memory_does_not_grow_with_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "CHUNK_BYTES", 1 << 16)
    pictures = open_memmap(tmp_path / "prepared.npy", "w+", np.uint8, (4096, 1, 64, 64))
    tracemalloc.start()
    try:
        nearest(pictures, np.asarray(pictures[:4]), 3)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20 < pictures.nbytes
    finally:
        tracemalloc.stop()
