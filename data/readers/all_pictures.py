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
class Whole:
    """All pictures of a training split, uint8 [N, side, side, channels], their classes, and the typical distance."""

    pictures: Pixels
    labels: list[int]
    typical: float | None


_newest: dict[tuple[Any, ...], Whole] = {}
"""the dataset that was searched last: a person looks at several samples of one model"""


def search(spec: Images, query: Pixels, n: int, root: Path | None, downloads: Path) -> tuple[Pixels, dict[str, Any]]:
    """Return the `n` nearest pictures uint8 [n, side, side, channels] with `rows`, `distances`, `labels`, `typical`,
    `searched`.

    `query` is uint8 [side, side, channels]. `root` and `downloads` are the folders of files. Raises Refused with the
    code MISSING.
    """
    try:
        whole = _whole(spec, root, downloads)
    except DatasetMissing as error:
        raise Refused(str(error), MISSING, "") from error
    found = nearest(whole.pictures, query[None], n)
    rows = found.rows[0].tolist()
    return whole.pictures[rows], {
        "rows": rows,
        "distances": found.distances[0].tolist(),
        "labels": [whole.labels[row] for row in rows],
        "typical": whole.typical,
        "searched": len(whole.pictures),
    }


def _whole(spec: Images, root: Path | None, downloads: Path) -> Whole:
    key = spec.dataset, spec.side, spec.channels
    if key not in _newest:
        _newest.clear()
        labels, picture = source(spec.dataset, root, downloads)
        pictures = np.empty((len(labels), spec.side, spec.side, spec.channels), np.uint8)
        for row in range(len(labels)):
            pictures[row] = resized(picture(row), spec.side, spec.channels)
        _newest[key] = Whole(pictures, np.asarray(labels).tolist(), typical_distance(pictures))
    return _newest[key]
