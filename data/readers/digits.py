"""Reader of scikit-learn's handwritten digits, without the import of scikit-learn, which takes a second."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from data.readers.base import DatasetMissing, Split
from data.readers.files import Pixels

SIDE = 8
INK_LEVELS = 16
"""largest value of a pixel; 0 is white paper"""


def read(split: Split) -> tuple[Pixels, Pixels]:
    """Read pictures uint8 [1797, 8, 8] and labels uint8 [1797]. Raises DatasetMissing."""
    if split == "test":
        raise DatasetMissing("The digits have no test split; use the whole set.")
    table = np.loadtxt(_file(), delimiter=",", dtype=np.uint8)
    ink = table[:, :-1].reshape(-1, SIDE, SIDE)
    return np.round(ink * (255 / INK_LEVELS)).astype(np.uint8), table[:, -1]


def _file() -> Path:
    """Return the path of a CSV with one row per digit: its pixels, then its class."""
    package = find_spec("sklearn")  # locates the package without running it
    for folder in package.submodule_search_locations or () if package else ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise DatasetMissing("The digits come with scikit-learn: install the version that requirements/ name.")
