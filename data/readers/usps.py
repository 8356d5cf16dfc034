"""Reader of the USPS digits: one MATLAB file."""

from pathlib import Path

import numpy as np

from data.readers.base import DatasetMissing, Split
from data.readers.files import Pixels, dataset_folders, first_existing_file

FOLDER, FILE = "usps", "usps_all.mat"
SIDE = 16
TEST_EVERY = 5
"""the file has no splits: its rows 4, 9, 14, ... are the test split, the others the training split"""


def read(split: Split, root: Path | None, downloads: Path | None) -> tuple[Pixels, Pixels]:
    """Read grey pictures uint8 [N, 16, 16] and labels uint8 [N]. Raises DatasetMissing."""
    path = first_existing_file(dataset_folders(FOLDER, root, downloads), FILE)
    if path is None:
        raise DatasetMissing(
            f"The file of USPS is missing. Put {FILE} into the folder {FOLDER}/ of your datasets "
            "and set FORGER_DATA to the folder that holds it."
        )
    table = _table(path)
    held_out = np.arange(len(table)) % TEST_EVERY == TEST_EVERY - 1
    rows = table[held_out if split == "test" else ~held_out]
    return rows[:, :-1].reshape(-1, SIDE, SIDE), rows[:, -1] - 1


def _table(path: Path) -> Pixels:
    """Read the table uint8 [N, 257]: sixteen rows of sixteen pixels, then the digit plus 1."""
    from scipy.io import loadmat  # slow to import, and only USPS needs it

    try:
        table = np.asarray(loadmat(path, variable_names=["usps_all"])["usps_all"])
        if table.dtype != np.uint8 or table.ndim != 2 or table.shape[1] != SIDE * SIDE + 1:
            raise ValueError(f"usps_all is {table.dtype} {table.shape}, not uint8 (n, {SIDE * SIDE + 1})")
        if not ((table[:, -1] >= 1) & (table[:, -1] <= 10)).all():
            raise ValueError("a label is not 1 to 10")
        return table
    except Exception as error:  # the parser raises any exception for a damaged file
        raise DatasetMissing(f"{path} is not the file of USPS ({error}); replace it or remove it.") from error
