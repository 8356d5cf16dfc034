"""Reader of CIFAR-10: the published binary batches, or a folder of pictures per class."""

from pathlib import Path

import numpy as np

from data.decode import SUFFIXES, UnreadablePicture, read_picture
from data.prepare import Preparation, prepare
from data.readers.base import DatasetMissing, Heartbeat, Split, no_heartbeat
from data.readers.files import Pixels, dataset_folders
from models.spec.datasets import CIFAR_CLASSES

FOLDER = "cifar10"
BATCHES = "cifar-10-batches-bin"
FILES = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
SIDE = 32
ROW = 1 + 3 * SIDE * SIDE


def read(
    split: Split, root: Path | None, downloads: Path | None, heartbeat: Heartbeat = no_heartbeat
) -> tuple[Pixels, Pixels]:
    """Read colour pictures uint8 [N, 3, 32, 32] and labels uint8 [N]. Raises DatasetMissing.

    `root` is the user's folder of datasets, `downloads` that of downloaded ones.
    """
    found = find(split, root, downloads)
    return _class_folders(found, heartbeat) if isinstance(found, Path) else _batches(found)


def find(split: Split, root: Path | None, downloads: Path | None) -> list[Path] | Path:
    """Return the binary batches, or the folder that holds the class folders. Raises DatasetMissing."""
    for folder in dataset_folders(FOLDER, root, downloads):
        for place in (folder, folder / BATCHES):
            if files := [path for name in FILES[split] if (path := place / name).is_file()]:
                return files
        if any((folder / split / name).is_dir() for name in CIFAR_CLASSES):
            return folder / split
    raise DatasetMissing(
        f"The files of CIFAR-10 are missing. Create a folder {FOLDER}/ that contains its binary batches "
        f"({FILES[split][0]}, ...), or its pictures in {split}/airplane/, {split}/automobile/ and so on. Then set "
        f"FORGER_DATA to the folder that contains {FOLDER}/."
    )


def _batches(files: list[Path]) -> tuple[Pixels, Pixels]:
    """Read binary batches. Each row: 1 label byte, then 1,024 red, 1,024 green and 1,024 blue bytes."""
    rows = np.concatenate([_rows(path) for path in files])
    return rows[:, 1:].reshape(-1, 3, SIDE, SIDE), rows[:, 0]


def _rows(path: Path) -> Pixels:
    content = np.frombuffer(path.read_bytes(), np.uint8)
    rows = content[: len(content) // ROW * ROW].reshape(-1, ROW)
    if not len(rows) or len(content) % ROW or rows[:, 0].max() >= len(CIFAR_CLASSES):
        raise DatasetMissing(f"{path} is not a whole batch of CIFAR-10; replace it or remove it.")
    return rows


def _class_folders(folder: Path, heartbeat: Heartbeat) -> tuple[Pixels, Pixels]:
    """Read the pictures of all class folders, in the order of `class_files`."""
    files = class_files(folder)
    pictures = np.empty((len(files), 3, SIDE, SIDE), np.uint8)
    for row, (path, _) in zip(pictures, files, strict=True):
        row[:] = read_picture_file(path)
        heartbeat()
    return pictures, np.array([label for _, label in files], np.uint8)


def class_files(folder: Path) -> list[tuple[Path, int]]:
    """Return the pictures of all class folders with their classes, ordered by class and name. Raises DatasetMissing."""
    files = [
        (path, label)
        for label, name in enumerate(CIFAR_CLASSES)
        for path in sorted((folder / name).glob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not files:
        raise DatasetMissing(f"{folder} holds no pictures; put those of CIFAR-10 into its class folders.")
    return files


def read_picture_file(path: Path) -> Pixels:
    """Read a picture as uint8 [3, 32, 32]. Raises DatasetMissing."""
    try:
        pixels = prepare(read_picture(path.read_bytes()).image, Preparation(SIDE, 3))
        return np.asarray(pixels, np.uint8).transpose(2, 0, 1)
    except (OSError, UnreadablePicture) as error:
        raise DatasetMissing(f"{path} cannot be read ({error}); replace it or remove it.") from error
