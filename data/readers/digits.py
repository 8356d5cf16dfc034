"""The handwritten digits of scikit-learn, read without importing it: that alone would take a second."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from data.readers.base import DatasetMissing, Split
from data.readers.pictures import Pixels

SIDE = 8
INK_LEVELS = 16
"""of ink; 0 is none"""


def read(split: Split) -> tuple[Pixels, Pixels]:
    """uint8 [1797, 8, 8] and labels uint8 [1797]. Raises DatasetMissing."""
    if split == "test":
        raise DatasetMissing("The digits have no test split; use the whole set.")
    table = np.loadtxt(_file(), delimiter=",", dtype=np.uint8)
    ink = table[:, :-1].reshape(-1, SIDE, SIDE)
    return np.round(ink * (255 / INK_LEVELS)).astype(np.uint8), table[:, -1]


def _file() -> Path:
    """A row a digit: its pixels, then its class."""
    package = find_spec("sklearn")  # looks where it lies, and runs none of it
    for folder in package.submodule_search_locations or () if package else ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise DatasetMissing("The digits come with scikit-learn: install the version that requirements/ name.")
