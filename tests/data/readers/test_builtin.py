"""Built-in datasets have the shape, range, labels and counts of their catalogue entries."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from data.readers import digits, pictures
from data.readers.builtin import DatasetMissing, load
from data.readers.idx import read_idx
from data.toy import MIXTURES
from models.spec.data import Images, Points
from models.spec.datasets import DATASETS
from tests.support.mnist import serve_folder, write_idx, write_small_mnist
from tests.support.real_files import FILES

needs_files = pytest.mark.skipif(FILES is None, reason="MNIST is not here: set FORGER_DATA to its folder")


MNIST = Images(dataset="mnist", side=28, channels=1, classes=10)


def test_digits_are_those_of_scikit_learn() -> None:
    """The pixels equal those of scikit-learn's own reader bit for bit; there is no test split."""
    pixels, labels = digits.read("train")
    bunch = load_digits()
    assert np.array_equal(pixels, np.round(bunch.images * (255 / 16)).astype(np.uint8))
    assert np.array_equal(labels, bunch.target)
    with pytest.raises(DatasetMissing, match="no test split"):
        digits.read("test")


def test_digits_without_scikit_learn_are_refused_with_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(DatasetMissing, match="come with scikit-learn"):
        digits.read("train")


def test_digits_are_sixteen_pixels_and_use_the_whole_range() -> None:
    loaded = load(DATASETS["digits"].spec(), None)
    assert loaded.images is not None
    assert loaded.labels is not None
    assert loaded.images.shape == (1797, 1, 16, 16)
    assert loaded.images.dtype == torch.uint8
    assert [int(bound) for bound in loaded.images.aminmax()] == [0, 255]
    assert loaded.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (28, 3), (33, 1)])
def test_digits_are_resized_to_any_side_and_channels(side: int, channels: int) -> None:
    loaded = load(Images(dataset="digits", side=side, channels=channels, classes=10), None)
    assert loaded.images is not None
    assert loaded.images.shape == (1797, channels, side, side)


def test_spec_without_classes_loads_no_labels() -> None:
    assert load(Images(dataset="digits", side=8, channels=1), None).labels is None


def test_pictures_of_two_channels_are_refused() -> None:
    with pytest.raises(DatasetMissing, match="1 or 3 channels"):
        load(Images(dataset="digits", side=8, channels=2), None)


@pytest.mark.parametrize("name", ["ring8", "grid25"])
def test_points_lie_around_their_modes(name: str) -> None:
    points = load(Points(dataset=name), None).points
    assert points is not None
    assert points.shape == (100_000, 2)
    centres, spread = torch.from_numpy(MIXTURES[name].modes).float(), MIXTURES[name].spreads[0]
    distances, nearest = torch.cdist(points, centres).min(dim=1)
    assert distances.square().mean().div(2).sqrt().item() == pytest.approx(spread, rel=0.01)
    shares = nearest.bincount(minlength=len(centres)) / len(points)
    assert torch.allclose(shares, torch.full_like(shares, 1 / len(centres)), atol=1e-3)


def test_the_ring_has_eight_different_angles() -> None:
    x, y = MIXTURES["ring8"].modes.T
    assert sorted(np.rad2deg(np.arctan2(y, x)).round() % 360) == [0, 45, 90, 135, 180, 225, 270, 315]
    assert np.allclose(np.hypot(x, y), 1)


def test_the_grid_has_25_modes_two_apart() -> None:
    assert len({tuple(mode) for mode in MIXTURES["grid25"].modes.tolist()}) == 25
    assert np.abs(MIXTURES["grid25"].modes).max() == 4


def test_points_are_reproducible_and_the_test_split_differs() -> None:
    first, second = (load(Points(dataset="ring8"), None).points for _ in range(2))
    other = load(Points(dataset="ring8"), None, "test").points
    assert first is not None
    assert second is not None
    assert other is not None
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_read_plain_and_gzipped(tmp_path: Path, suffix: str) -> None:
    written = write_small_mnist(tmp_path / "mnist", suffix=suffix)
    loaded = load(MNIST, tmp_path)
    assert loaded.images is not None
    assert loaded.labels is not None
    assert torch.equal(loaded.images[:, 0].long(), written)
    assert loaded.labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_pictures_above_the_memory_budget_are_mapped_and_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_mnist(tmp_path / "mnist")
    spec = Images(dataset="mnist", side=32, channels=3, classes=10)
    in_memory = load(spec, tmp_path).images
    monkeypatch.setattr(pictures, "MEMORY_BUDGET", 0)
    mapped = load(spec, tmp_path).images
    assert in_memory is not None
    assert mapped is not None
    assert torch.equal(in_memory, mapped)


@pytest.mark.parametrize("damage", ["cut", "magic", "gzip"])
def test_damaged_idx_file_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "labels.gz"
    content = write_idx(path, torch.arange(100))
    changed = {"cut": content[:-20], "magic": gzip.compress(b"\0" * 64), "gzip": b"not gzip"}[damage]
    path.write_bytes(changed)
    with pytest.raises(DatasetMissing, match=r"labels\.gz is not a complete idx file"):
        read_idx(path, dimensions=1)


def test_pictures_and_labels_must_be_equally_many(tmp_path: Path) -> None:
    write_small_mnist(tmp_path / "mnist")
    write_idx(tmp_path / "mnist/train-labels-idx1-ubyte", torch.arange(3))
    with pytest.raises(DatasetMissing, match="6 pictures but 3 labels"):
        load(MNIST, tmp_path)


def test_mnist_without_a_folder_is_refused_with_where_to_put_its_files() -> None:
    with pytest.raises(DatasetMissing, match=r"folder mnist/ .* FORGER_DATA"):
        load(MNIST, None)


def test_missing_files_are_downloaded_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_small_mnist(tmp_path / "host", suffix=".gz")
    serve_folder(monkeypatch, tmp_path / "host")
    load(MNIST, tmp_path / "mine", downloads=tmp_path / "kept")
    for path in (tmp_path / "host").iterdir():
        path.unlink()
    images = load(MNIST, tmp_path / "mine", downloads=tmp_path / "kept").images
    assert images is not None
    assert torch.equal(images[:, 0].long(), written)
    assert sorted(path.name for path in (tmp_path / "kept/mnist").iterdir()) == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]


def test_download_with_a_wrong_checksum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_mnist(tmp_path / "host", suffix=".gz")
    serve_folder(monkeypatch, tmp_path / "host")
    write_idx(tmp_path / "host/train-images-idx3-ubyte.gz", torch.zeros(6, 28, 28, dtype=torch.long))
    with pytest.raises(DatasetMissing, match="other bytes than expected"):
        load(MNIST, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("folder", ["mnist", "fashion-mnist"])
def test_missing_files_without_network_are_refused_with_where_to_put_them(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme in ("http_proxy", "https_proxy"):  # nothing listens on the discard port
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DatasetMissing, match=f"four idx files .* folder {folder}/ .* FORGER_DATA"):
        load(DATASETS[folder.replace("-", "_")].spec(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@needs_files
@pytest.mark.parametrize(("name", "mean"), [("mnist", 0.1307), ("fashion_mnist", 0.2860)])
def test_real_mnist_files_have_their_published_mean(name: str, mean: float) -> None:
    loaded = load(DATASETS[name].spec(), FILES)
    assert loaded.images is not None
    assert loaded.labels is not None
    assert loaded.images.shape == (60_000, 1, 28, 28)
    assert loaded.images.double().mean().item() / 255 == pytest.approx(mean, abs=1e-4)
    assert int(loaded.images.sum(dtype=torch.int64)) == {"mnist": 1_567_298_545, "fashion_mnist": 3_431_114_169}[name]
    assert len(loaded.labels) == 60_000


@needs_files
def test_real_mnist_test_split_comes_from_its_own_file() -> None:
    loaded = load(MNIST, FILES, "test")
    assert loaded.labels is not None
    assert loaded.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
