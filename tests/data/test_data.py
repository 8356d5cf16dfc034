"""The dataset readers: shapes, ranges, labels, true modes, and what happens when files are missing."""

import hashlib
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.spec.data import DataSpec, Images, Points, Unpaired
from models.spec.datasets import DATASETS
from worker.training import data, scenes
from worker.training.data import DatasetMissing

FILES = Path(os.environ["FORGER_DATA"]) if os.environ.get("FORGER_DATA") else None
needs_files = pytest.mark.skipif(FILES is None, reason="FORGER_DATA is not set: the files of MNIST are not here")

DIGITS = Images(dataset="digits", side=16, channels=1, classes=10)
SMALL_SCENES = Unpaired(dataset="day2night", side=16, channels=3)


def pictures(spec: DataSpec, root: Path | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    loaded = data.load(spec, root)
    assert loaded.images is not None
    assert loaded.labels is not None
    return loaded.images, loaded.labels


def test_digits_are_bytes_with_labels() -> None:
    images, labels = pictures(DIGITS)
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
    assert images.shape == (1797, 1, 16, 16)
    assert (int(images.min()), int(images.max())) == (0, 255)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_catalogue_says_how_many_there_are() -> None:
    assert len(pictures(DIGITS)[0]) == DATASETS["digits"].size


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (16, 3), (28, 1), (32, 3)])
def test_digits_follow_the_spec(side: int, channels: int) -> None:
    images, _ = pictures(DIGITS.model_copy(update={"side": side, "channels": channels}))
    assert images.shape == (1797, channels, side, side)
    assert all(torch.equal(images[:, 0], images[:, channel]) for channel in range(channels))


def test_digits_are_the_same_every_time() -> None:
    assert torch.equal(pictures(DIGITS)[0], pictures(DIGITS)[0])


def ring() -> np.ndarray:
    turns = 2 * np.pi * np.arange(8) / 8
    return np.stack([np.cos(turns), np.sin(turns)], axis=1)


def grid() -> np.ndarray:
    return np.array(list(itertools.product(range(-4, 5, 2), repeat=2)), dtype=float)


@pytest.mark.parametrize(("dataset", "modes", "deviation"), [("ring8", ring(), 0.01), ("grid25", grid(), 0.05)])
def test_points_surround_every_mode(dataset: str, modes: np.ndarray, deviation: float) -> None:
    points = data.load(Points(dataset=dataset), None).points
    assert points is not None
    assert (points.dtype, points.shape) == (torch.float32, (DATASETS[dataset].size, 2))
    offsets = points.numpy()[:, None] - modes[None]
    nearest = np.linalg.norm(offsets, axis=2).argmin(axis=1)
    share = np.bincount(nearest, minlength=len(modes)) / len(points)
    # Eight distinct modes: angles to and including a full turn would make the first count twice.
    np.testing.assert_allclose(share, 1 / len(modes), rtol=0.1)
    own = offsets[np.arange(len(points)), nearest]
    np.testing.assert_allclose(own.std(axis=0), deviation, rtol=0.02)
    np.testing.assert_allclose(own.mean(axis=0), 0, atol=deviation / 20)


def test_scenes_by_day_and_by_night() -> None:
    loaded = data.load(SMALL_SCENES, None)
    assert loaded.a is not None
    assert loaded.b is not None
    assert loaded.a.dtype == loaded.b.dtype == torch.uint8
    assert loaded.a.shape[1:] == loaded.b.shape[1:] == (3, 16, 16)
    assert len(loaded.a) + len(loaded.b) == DATASETS["day2night"].size
    assert loaded.b.float().mean() < 0.6 * loaded.a.float().mean()


def test_no_training_scene_is_in_both_piles_or_held_out() -> None:
    first = (scenes.DAY_SEEDS, scenes.NIGHT_SEEDS, scenes.HELD_OUT_SEEDS)
    apart = min(abs(one - other) for one, other in itertools.combinations(first, 2))
    assert apart >= DATASETS["day2night"].size


def test_training_pictures_are_distinct() -> None:
    loaded = data.load(SMALL_SCENES, None)
    assert loaded.a is not None
    digests = {hashlib.sha256(picture.numpy().tobytes()).digest() for picture in loaded.a}
    assert len(digests) > 0.99 * len(loaded.a)


@pytest.mark.parametrize("seed", range(scenes.HELD_OUT_SEEDS, scenes.HELD_OUT_SEEDS + 20))
def test_night_is_darker_and_shows_the_same_scene(seed: int) -> None:
    day, night = (np.asarray(scenes.draw(seed, 64, night=night).convert("L"), dtype=float) for night in (False, True))
    assert night.mean() < day.mean()
    # Where one is flat the other is flat too, but for lamps and stars: edges fall together.
    edges = [np.hypot(*np.gradient(picture)) for picture in (day, night)]
    assert np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1] > 0.1
    assert scenes.layout(seed) == scenes.layout(seed)


def test_true_pairs_come_in_one_order() -> None:
    day, night = scenes.pairs(16, 3)
    assert day.shape == night.shape == (3, 3, 16, 16)
    for index in range(3):
        one = scenes.draw(scenes.HELD_OUT_SEEDS + index, 16, night=True)
        assert torch.equal(night[index], torch.from_numpy(np.array(one)).permute(2, 0, 1))


def test_a_scene_is_the_same_every_time() -> None:
    first, again = (scenes.draw(5, 32, night=True).tobytes() for _ in range(2))
    assert first == again
    assert isinstance(scenes.draw(5, 32, night=True), Image.Image)


@needs_files
@pytest.mark.parametrize(
    ("dataset", "counts", "total"),
    [
        ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 1_567_298_545),
        ("fashion_mnist", [6000] * 10, 3_431_114_169),
    ],
)
def test_idx_files_are_read_whole(dataset: str, counts: list[int], total: int) -> None:
    images, labels = pictures(DATASETS[dataset].spec(), FILES)
    assert images.shape == (60_000, 1, 28, 28)
    assert labels.bincount().tolist() == counts
    assert int(images.sum(dtype=torch.int64)) == total


def test_without_a_folder_the_sentence_says_what_to_set() -> None:
    with pytest.raises(DatasetMissing, match=r"FORGER_DATA"):
        data.load(DATASETS["mnist"].spec(), None)


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_an_empty_folder_without_network_says_where_to_put_the_files(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme in ("http_proxy", "https_proxy"):  # nothing listens on the discard port
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DatasetMissing, match=rf"(?s)four idx files.*{dataset.replace('_', '-')}/"):
        data.load(DATASETS[dataset].spec(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
