"""Draw or translate the pictures of a job one after the other, starting at any of them."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.errors import Invalid, UnsupportedMedia
from app.core.settings import get_settings
from app.services.datasets import catalog
from app.services.inference import translation
from app.services.job_spec import Generate, Translate
from worker.runners.bulk_sources import Source
from worker.runners.shard_writer import Made

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from serving.loaded import LoadedModel


NOTHING = np.empty(0, np.uint8)

Counts = Mapping[int | None, int]
"""how many pictures of each class; of a model without classes the one key is None"""


class Making(Protocol):
    total: int
    of: str
    """what an array of them is called"""
    class_names: tuple[str, ...]
    """of their labels"""

    def made(self, start: int) -> Iterator[Made]:
        """All from number `start` on."""
        ...


class Drawing:
    """Pictures, points or strings from noise, each as /sample draws it."""

    def __init__(self, loaded: "LoadedModel", spec: Generate) -> None:
        kind = loaded.recipe.data.kind
        self.total = spec.n
        self.of: str = kind if kind in ("points", "sequences") else "images"
        self.class_names = catalog.class_names(loaded.recipe, catalog.all_datasets())
        self._loaded = loaded
        self._spec = spec

    def made(self, start: int) -> Iterator[Made]:
        from serving.loaded import PICTURES_PER_TURN, Item

        spec = self._spec
        picks = islice(round_robin(counts(spec)), start, None)
        while turn := list(islice(picks, PICTURES_PER_TURN)):
            drawn = self._loaded.sample([Item(*pick, spec.seed, spec.temperature) for pick in turn])
            for (label, index), array in zip(turn, drawn, strict=True):
                yield Made(array, label, index)


class Restyling:
    """Pictures at their own sizes, in their order, each as /translate answers it; one that it refuses is left out."""

    of = "images"

    def __init__(self, loaded: "LoadedModel", spec: Translate, source: Source, beat: Callable[[], None]) -> None:
        self.total = len(source.names)
        self.class_names = source.class_names
        self._source = source
        self._loaded = loaded
        self._spec = spec
        self._beat = beat
        self._most = get_settings().max_pixels

    def made(self, start: int) -> Iterator[Made]:
        for number in range(start, self.total):
            label = None if self._source.labels is None else self._source.labels[number]
            name = self._source.names[number]
            try:
                yield Made(self._translated(number), label, number, name)
            except (Invalid, UnsupportedMedia) as refusal:
                yield Made(NOTHING, label, number, self._source.called(number), refusal.detail)

    def _translated(self, number: int) -> NDArray[Any]:
        """Raises Invalid, UnsupportedMedia."""
        recipe, model = self._loaded.recipe, self._spec.weights.model or ""
        image = self._source.picture(number)
        translation.require_room(image, recipe, model, self._most)
        shown, alpha = translation.parted(image, recipe, model)
        return translation.joined(self._restyled(shown), alpha)

    def _restyled(self, picture: NDArray[Any]) -> NDArray[Any]:
        pieces = self._loaded.translate(picture, self._spec.direction)
        while (whole := next(pieces)) is None:
            self._beat()
        return whole


def counts(spec: Generate) -> Counts:
    """Return how many pictures of each class are drawn, by number."""
    classes = spec.recipe.classes
    if not classes:
        return {None: spec.n}
    if spec.classes is not None:
        return {int(number): n for number, n in spec.classes.items()}
    each, more = divmod(spec.n, classes)
    return {number: each + (number < more) for number in range(classes)}


def round_robin(counts: Counts) -> Iterator[tuple[int | None, int]]:
    """Yield class and number within the class of every picture: each class in turn, until it has its pictures.

    So every shard, and what is there of a job that was cancelled, has as many of each class as it can.
    """
    index, left = 0, [(label, n) for label, n in counts.items() if n > 0]
    while left:
        for label, _ in left:
            yield label, index
        index += 1
        left = [(label, n) for label, n in left if n > index]
