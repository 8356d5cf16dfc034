"""Examples that are shown are those that training reads, chosen by seed and class alone."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from app.core.settings import CHECKOUT
from data.errors import Refused
from data.readers import builtin, cifar10, examples
from data.readers.builtin import load
from data.readers.examples import Choice, Label
from models.spec.datasets import CIFAR_CLASSES, DATASETS
from tests.support.mnist import write_small_mnist

Array = NDArray[Any]


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small datasets in the published layouts; that of CIFAR-10 has binary batches."""
    root = tmp_path_factory.mktemp("datasets")
    write_small_mnist(root / "mnist", 40)
    table = noise(60, 257)
    table[:, 256] = np.arange(60) // 6 + 1
    (root / "usps").mkdir()
    savemat(root / "usps" / "usps_all.mat", {"usps_all": table})
    rows = noise(30, cifar10.ROW)
    rows[:, 0] = np.arange(30) % 10
    (root / "cifar10").mkdir()
    (root / "cifar10" / "data_batch_1.bin").write_bytes(rows.tobytes())
    return root


def shown(name: str, root: Path | None, choice: Choice) -> Array:
    return np.asarray(examples.read(DATASETS[name].default_spec(), choice, root, Path("/nowhere")))


def trained_on(name: str, root: Path | None, choice: Choice) -> Array:
    """The same examples out of the tensors of a training."""
    data = load(DATASETS[name].default_spec(), root)
    candidates = data.images, data.points, data.sequences, (data.a, data.b)[choice.domain_number]
    tensor = next(each for each in candidates if each is not None)
    labels = None if data.labels is None else data.labels.numpy()
    chosen: Array = tensor[examples.rows(choice, len(tensor), labels, DATASETS[name].classes)].numpy()
    return chosen.transpose(0, 2, 3, 1) if chosen.ndim == 4 else chosen


@pytest.mark.parametrize("name", ["digits", "mnist", "usps", "cifar10"])
@pytest.mark.parametrize("label", [None, 7, "each"])
def test_pictures_are_those_of_a_training(root: Path, name: str, label: Label) -> None:
    choice = Choice(5, 3, label)
    assert (shown(name, root, choice) == trained_on(name, root, choice)).all()


def test_stacked_digits_are_those_of_a_training(root: Path) -> None:
    choice = Choice(6, 3, 123)
    pictures = shown("stacked_mnist", root, choice)
    assert pictures.shape == (6, 28, 28, 3)
    assert (pictures == trained_on("stacked_mnist", root, choice)).all()


@pytest.mark.parametrize("domain", ["a", "b"])
def test_scenes_are_those_of_a_training(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(builtin.SCENE_COUNTS, "train", 12)
    monkeypatch.setitem(DATASETS, "day2night", replace(DATASETS["day2night"], size=24))
    choice = Choice(3, 2**62 + 5, None, domain)
    assert (shown("day2night", None, choice) == trained_on("day2night", None, choice)).all()


@pytest.mark.parametrize("name", ["ring8", "grid25", "gaussian1d"])
def test_points_are_those_of_a_training_to_the_sixth_decimal(name: str) -> None:
    choice = Choice(50, 3)
    assert np.abs(shown(name, None, choice) - trained_on(name, None, choice)).max() < 1e-6


def test_strings_are_those_of_a_training() -> None:
    choice = Choice(50, 3)
    assert (shown("dyck", None, choice) == trained_on("dyck", None, choice)).all()


def test_class_folders_are_read_picture_by_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(CIFAR_CLASSES):
        (tmp_path / "cifar10" / "train" / name).mkdir(parents=True)
        for index in range(3):
            Image.fromarray(noise(32, 32, 3) // (1 + number + index)).save(
                tmp_path / "cifar10" / "train" / name / f"{index}.png"
            )
    choice = Choice(2, 3, "each")
    expected, read = trained_on("cifar10", tmp_path, choice), list[Path]()

    def counted(path: Path) -> Array:
        read.append(path)
        return really(path)

    really = cifar10.read_picture_file
    monkeypatch.setattr(cifar10, "read_picture_file", counted)
    assert (shown("cifar10", tmp_path, choice) == expected).all()
    assert len(read) == 20, "only the chosen ones, of thirty"


def test_example_i_does_not_depend_on_n() -> None:
    for label in (None, 4):
        many, few = (shown("digits", None, Choice(n, 9, label)) for n in (40, 7))
        assert (few == many[:7]).all()
    assert (shown("digits", None, Choice(7, 10)) != shown("digits", None, Choice(7, 9))).any()
    assert (shown("digits", None, Choice(7, 9 + 2**32)) != shown("digits", None, Choice(7, 9))).any(), "all of the seed"


def test_all_examples_come_once_before_one_comes_twice() -> None:
    chosen = examples.rows(Choice(25, 3), 10).tolist()
    assert sorted(chosen[:10]) == list(range(10))
    assert chosen[10:20] == chosen[:10]
    assert chosen[20:] == chosen[:5]


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    for name in ("mnist", "stacked_mnist", "usps", "cifar10"):
        with pytest.raises(Refused, match="set FORGER_DATA") as refused:
            shown(name, tmp_path, Choice(1, 1))
        assert refused.value.code == "dataset_missing"
    assert list(tmp_path.iterdir()) == [], "nothing was downloaded"
    write_small_mnist(tmp_path / "mnist", 3)
    with pytest.raises(Refused, match="no example of this class"):
        shown("mnist", tmp_path, Choice(1, 1, 7))
    (tmp_path / "mnist" / "train-images-idx3-ubyte").write_bytes(b"cut")
    with pytest.raises(Refused, match="not a complete idx file"):
        shown("mnist", tmp_path, Choice(1, 1))


@pytest.mark.processes
def test_reading_examples_imports_no_torch() -> None:
    code = "import sys, data.readers.examples; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT).returncode == 0
