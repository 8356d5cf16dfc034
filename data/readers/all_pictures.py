"""Read every picture of a built-in dataset, and find the nearest ones there, without torch. Run it in a Sandbox."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import Refused
from data.nearest import nearest, typical_distance
from data.readers.base import DatasetMissing
from data.readers.examples import MISSING, source
from data.readers.files import Pixels, resized
from models.spec.data import Images


@dataclass(frozen=True, eq=False)
class AllPictures:
    """All pictures of a training split, uint8 [N, side, side, channels], their classes, and the typical distance."""

    pictures: Pixels
    labels: list[int]
    typical: float | None


_newest: dict[tuple[Any, ...], AllPictures] = {}
"""the dataset that was searched last, by name, side and channels: a person looks at several samples of one model"""


def search(spec: Images, query: Pixels, n: int, root: Path | None, downloads: Path) -> tuple[Pixels, dict[str, Any]]:
    """Return the `n` nearest pictures, uint8 [n, side, side, channels], and facts about them.

    The facts are `rows`, `distances` and `labels` of these pictures, the `typical` distance, and `searched`, a number.
    `query` is uint8 [side, side, channels]. `root` and `downloads` are the folders of files. Raises Refused with the
    code MISSING.
    """
    try:
        dataset = _read(spec, root, downloads)
    except DatasetMissing as error:
        raise Refused(str(error), MISSING, "") from error
    found = nearest(dataset.pictures, query[None], n)
    rows = found.rows[0].tolist()
    return dataset.pictures[rows], {
        "rows": rows,
        "distances": found.distances[0].tolist(),
        "labels": [dataset.labels[row] for row in rows],
        "typical": dataset.typical,
        "searched": len(dataset.pictures),
    }


def _read(spec: Images, root: Path | None, downloads: Path) -> AllPictures:
    key = spec.dataset, spec.side, spec.channels
    if key not in _newest:
        # Free the memory of the old one first: the process has room for one.
        _newest.clear()
        labels, picture = source(spec.dataset, root, downloads)
        pictures = np.empty((len(labels), spec.side, spec.side, spec.channels), np.uint8)
        for row in range(len(labels)):
            pictures[row] = resized(picture(row), spec.side, spec.channels)
        _newest[key] = AllPictures(pictures, np.asarray(labels).tolist(), typical_distance(pictures))
    return _newest[key]
