"""Readers of USPS, CIFAR-10 and stacked MNIST read the published layouts; drawn points and strings are as described."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from data.batches import Batches
from data.readers import builtin, pictures, stacked
from data.readers.builtin import Data, DatasetMissing, load
from data.readers.toy_arrays import balanced_strings
from data.torch_random import TorchRandom
from data.toy import MIXTURES, balanced
from models.spec.data import Images, Paired, Points, Sequences
from models.spec.datasets import CIFAR_CLASSES, DATASETS
from models.spec.resolve import resolve
from tests.support.mnist import write_small_mnist
from tests.support.real_files import FILES, needs_file


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def images_of(spec: Images, root: Path | None, split: Any = "train") -> tuple[torch.Tensor, list[int]]:
    loaded = load(spec, root, split)
    assert loaded.images is not None
    assert loaded.labels is not None
    assert loaded.images.dtype == torch.uint8
    assert loaded.images.shape[1:] == (spec.channels, spec.side, spec.side)
    return loaded.images, loaded.labels.tolist()


# ---- stacked MNIST


@pytest.fixture
def few_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacked, "TEST_SIZE", 40)
    monkeypatch.setattr(stacked, "PICTURES_PER_CHUNK", 16)


STACKED = DATASETS["stacked_mnist"].spec()


@pytest.mark.usefixtures("few_stacks")
def test_stack_holds_three_digits_and_its_class_name_lists_them(tmp_path: Path) -> None:
    assert isinstance(STACKED, Images)
    digits, labels = noise(10, 28, 28), np.arange(10, dtype=np.uint8)
    stacks, classes = stacked.stack(STACKED, digits, labels, "test")
    assert stacks.shape == (40, 3, 28, 28)
    for stack, number in zip(stacks.numpy(), classes.tolist(), strict=True):
        digits_of_class = [int(digit) for digit in DATASETS["stacked_mnist"].class_names[number]]
        assert (stack == digits[digits_of_class]).all()
    assert len(set(classes.tolist())) > 30
    repeated, train = (stacked.stack(STACKED, digits, labels, split)[1] for split in ("test", "train"))
    assert torch.equal(repeated, classes)
    assert not torch.equal(train[:40], classes)


@pytest.mark.usefixtures("few_stacks")
@pytest.mark.parametrize("channels", [1, 3])
def test_stacks_are_resized_as_pictures_are(channels: int) -> None:
    digits, labels = noise(10, 28, 28), np.arange(10, dtype=np.uint8)
    whole, _ = stacked.stack(Images(dataset="stacked_mnist", side=28, channels=3), digits, labels, "test")
    small, _ = stacked.stack(Images(dataset="stacked_mnist", side=16, channels=channels), digits, labels, "test")
    assert torch.equal(small, pictures.resize_all(whole.numpy(), 16, channels))


def test_stacked_mnist_is_built_from_the_files_of_mnist(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="four idx files of MNIST"):
        load(STACKED, None)
    write_small_mnist(tmp_path / "mnist")
    _, labels = images_of(Images(dataset="stacked_mnist", side=8, channels=3, classes=1000), tmp_path)
    assert len(labels) == DATASETS["stacked_mnist"].size
    assert set(labels) == {100 * a + 10 * b + c for a in range(6) for b in range(6) for c in range(6)}


# ---- USPS

USPS = Images(dataset="usps", side=16, channels=1, classes=10)


def write_usps(folder: Path, table: NDArray[Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "usps_all.mat", {"usps_all": table})


def test_usps_is_read_and_every_fifth_row_held_out(tmp_path: Path) -> None:
    table = noise(12, 257)
    table[:, 256] = np.arange(12) % 10 + 1
    write_usps(tmp_path / "usps", table)
    train, labels = images_of(USPS, tmp_path)
    test, held_out = images_of(USPS, tmp_path, "test")
    rows = [0, 1, 2, 3, 5, 6, 7, 8, 10, 11]
    assert labels == [row % 10 for row in rows]
    assert (train[:, 0].reshape(10, 256).numpy() == table[rows, :256]).all()
    assert held_out == [4, 9]
    assert (test[:, 0].reshape(2, 256).numpy() == table[[4, 9], :256]).all()
    larger, _ = images_of(USPS.model_copy(update={"side": 32, "channels": 3}), tmp_path)
    assert torch.equal(larger[:, 0], larger[:, 2])


@pytest.mark.parametrize("damage", ["bytes", "columns", "labels", "type"])
def test_damaged_usps_file_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    table = np.ones((3, 257), np.uint8)
    changed = {"columns": table[:, 1:], "labels": table * 0, "type": table * 1.0}.get(damage, table)
    write_usps(tmp_path / "usps", changed)
    if damage == "bytes":
        (tmp_path / "usps/usps_all.mat").write_bytes(b"nothing")
    with pytest.raises(DatasetMissing, match=r"usps_all\.mat is not the file of USPS"):
        load(USPS, tmp_path)


def test_missing_usps_is_refused_with_where_to_put_it(tmp_path: Path) -> None:
    for root in (None, tmp_path):
        with pytest.raises(DatasetMissing, match=r"usps_all\.mat .* folder usps/ .* FORGER_DATA"):
            load(USPS, root)


@needs_file("usps", "usps_all.mat")
def test_the_real_usps_has_its_published_counts() -> None:
    train, labels = images_of(USPS, FILES)
    test, held_out = images_of(USPS, FILES, "test")
    assert (len(train), len(train) + len(test)) == (DATASETS["usps"].size, 9298)
    counts = Counter(labels + held_out)
    assert [counts[digit] for digit in range(10)] == [1553, 1269, 929, 824, 852, 716, 834, 792, 708, 821]
    shares = [held_out.count(digit) / counts[digit] for digit in range(10)]
    assert 0.15 < min(shares) <= max(shares) < 0.25


# ---- CIFAR-10

CIFAR10 = Images(dataset="cifar10", side=32, channels=3, classes=10)


@pytest.mark.parametrize("inside", ["cifar10", "cifar10/cifar-10-batches-bin"])
def test_the_binary_batches_of_cifar10_are_read(tmp_path: Path, inside: str) -> None:
    rows = noise(7, 3073)
    rows[:, 0] = np.arange(7)
    folder = tmp_path / inside
    folder.mkdir(parents=True)
    (folder / "data_batch_1.bin").write_bytes(rows[:4].tobytes())
    (folder / "data_batch_2.bin").write_bytes(rows[4:6].tobytes())
    (folder / "test_batch.bin").write_bytes(rows[6:].tobytes())
    train, labels = images_of(CIFAR10, tmp_path)
    assert labels == [0, 1, 2, 3, 4, 5]
    assert (train.flatten(1).numpy() == rows[:6, 1:]).all()
    test, held_out = images_of(CIFAR10, tmp_path, "test")
    assert held_out == [6]
    assert (test[0, 2].flatten().numpy() == rows[6, 2049:]).all()


def test_class_folders_of_cifar10_are_read(tmp_path: Path) -> None:
    colour = noise(3, 32, 32, 3)
    for index, (name, file) in enumerate((("truck", "1.png"), ("airplane", "b.png"), ("airplane", "a.png"))):
        folder = tmp_path / "cifar10/train" / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colour[index]).save(folder / file)
    (folder / "notes.txt").write_text("no picture")
    train, labels = images_of(CIFAR10, tmp_path)
    assert labels == [0, 0, CIFAR_CLASSES.index("truck")]
    assert (train.permute(0, 2, 3, 1).numpy() == colour[[2, 1, 0]]).all()
    grey, _ = images_of(Images(dataset="cifar10", side=16, channels=1, classes=10), tmp_path)
    expected = Image.fromarray(colour[2]).convert("L").resize((16, 16), Image.Resampling.BICUBIC)
    assert (grey[0, 0].numpy() == np.asarray(expected)).all()


@pytest.mark.parametrize("content", [b"", b"\0" * 3072, b"\x0a" + b"\0" * 3072])
def test_damaged_cifar10_batch_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10/data_batch_1.bin").write_bytes(content)
    with pytest.raises(DatasetMissing, match=r"data_batch_1\.bin is not a whole batch"):
        load(CIFAR10, tmp_path)


def test_unreadable_cifar10_picture_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "cifar10/train/cat"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(b"nothing")
    with pytest.raises(DatasetMissing, match=r"1\.jpg cannot be read"):
        load(CIFAR10, tmp_path)
    (folder / "1.jpg").unlink()
    with pytest.raises(DatasetMissing, match="holds no pictures"):
        load(CIFAR10, tmp_path)


def test_missing_cifar10_is_refused_with_where_to_put_it(tmp_path: Path) -> None:
    for root in (None, tmp_path):
        with pytest.raises(DatasetMissing, match=r"folder cifar10/ .* binary batches .* FORGER_DATA"):
            load(CIFAR10, root)


@needs_file("cifar10-subset", "test")
def test_real_cifar10_photographs_in_class_folders_are_read(tmp_path: Path) -> None:
    assert FILES is not None
    (tmp_path / "cifar10").symlink_to(FILES / "cifar10-subset")
    photographs, labels = images_of(CIFAR10, tmp_path, "test")
    assert Counter(labels) == dict.fromkeys(range(10), 60)
    red, _, blue = photographs[torch.tensor(labels) == CIFAR_CLASSES.index("ship")].float().mean((0, 2, 3)).tolist()
    assert blue > red + 5, "ships lie before sea and sky"


# ---- points on a line


def test_points_on_a_line_are_a_mixture_of_two_normals() -> None:
    points = load(Points(dataset="gaussian1d", dimension=1), None).points
    assert points is not None
    assert points.shape == (100_000, 1)
    mixture = MIXTURES["gaussian1d"]
    shares, edges = np.histogram(points.numpy(), bins=60, range=(-4, 6))
    middles = (edges[:-1] + edges[1:]) / 2
    observed = shares / len(points) / np.diff(edges)
    assert np.abs(observed - mixture.density(middles[:, None])).max() < 0.01
    for half, mean, spread in zip((points[::2], points[1::2]), (-1.5, 1.5), (0.5, 1.0), strict=True):
        assert half.mean().item() == pytest.approx(mean, abs=0.02)
        assert half.std().item() == pytest.approx(spread, abs=0.02)


# ---- strings


def test_drawn_strings_are_balanced_and_uniformly_distributed() -> None:
    strings = balanced_strings(28_000, 6, 2, TorchRandom(5))
    assert balanced(strings).all()
    counts = Counter(tuple(string) for string in strings.tolist())
    assert len(counts) == 5 * 2**3, "Catalan number of 3 pairs, times the kinds of each"
    # Chi-squared with 39 degrees of freedom: above 73 once in a thousand seeds.
    assert sum((count - 700) ** 2 / 700 for count in counts.values()) < 73


def test_dyck_strings_match_their_entry_and_the_test_split_differs() -> None:
    info = DATASETS["dyck"]
    spec = info.spec()
    assert isinstance(spec, Sequences)
    first, repeated, test = (load(spec, None, split).sequences for split in ("train", "train", "test"))
    assert first is not None
    assert repeated is not None
    assert test is not None
    assert first.shape == (info.size, 12)
    assert first.dtype == torch.int64
    assert [int(bound) for bound in first.aminmax()] == [0, len(info.alphabet) - 1]
    assert len({tuple(string) for string in first.tolist()}) == 7666
    assert balanced(first.numpy()).all()
    assert balanced(test.numpy()).all()
    assert torch.equal(first, repeated)
    assert not torch.equal(first, test)


def test_a_batch_of_strings_is_one_hot() -> None:
    recipe = resolve("gumbel_gan", overrides={"batch_size": 3})[1]
    sequences = torch.tensor([[0, 2, 3, 1] * 3])
    batches = Batches(recipe, Data(sequences=sequences), torch.device("cpu"))
    real = batches.batch(0).real
    assert real.shape == (3, 12, 4)
    assert real.dtype == torch.float32
    assert torch.equal(real.argmax(2), sequences.expand(3, -1))
    assert (real.sum(2) == 1).all()


def test_unknown_dataset_is_refused() -> None:
    for spec in (Points(dataset="x"), Sequences(dataset="x", length=4, symbols=2)):
        with pytest.raises(DatasetMissing, match="no dataset 'x' of this kind"):
            load(spec, None)


# ---- pairs of scenes


def test_paired_scenes_keep_the_days_and_get_their_own_nights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(builtin.SCENE_COUNTS, "train", 12)
    paired = load(Paired(dataset="day2night", side=32, channels=3), None)
    unpaired = load(DATASETS["day2night"].spec().model_copy(update={"side": 32}), None)
    assert paired.a is not None
    assert paired.b is not None
    assert unpaired.a is not None
    assert unpaired.b is not None
    assert torch.equal(paired.a, unpaired.a), "the same days"
    assert not torch.equal(paired.b, unpaired.b)
