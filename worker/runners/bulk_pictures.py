"""Draw or translate the pictures of a job one after the other, starting at any of them."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.errors import Invalid, UnsupportedMedia
from app.core.settings import get_settings
from app.services.creation import bulk
from app.services.creation.bulk import Generation, Translation
from app.services.datasets import catalog
from app.services.inference import translation
from worker.runners.bulk_sources import Source
from worker.runners.shard_writer import Made

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from serving.engine import Loaded


NOTHING = np.empty(0, np.uint8)


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

    def __init__(self, loaded: "Loaded", asked: Generation) -> None:
        kind = loaded.recipe.data.kind
        self.total = asked.n
        self.of: str = kind if kind in ("points", "sequences") else "images"
        self.class_names = catalog.class_names(loaded.recipe, catalog.all_datasets())
        self._loaded = loaded
        self._asked = asked

    def made(self, start: int) -> Iterator[Made]:
        from serving.engine import TURN, Item

        asked = self._asked
        picks = islice(bulk.in_turn(bulk.counts(asked, self._loaded.recipe)), start, None)
        while turn := list(islice(picks, TURN)):
            drawn = self._loaded.sample([Item(*pick, asked.seed, asked.truncation) for pick in turn])
            for (label, index), array in zip(turn, drawn, strict=True):
                yield Made(array, label, index)


class Restyling:
    """Pictures at their own sizes, in their order, each as /translate answers it; one that it refuses is left out."""

    of = "images"

    def __init__(self, loaded: "Loaded", asked: Translation, source: Source, beat: Callable[[], None]) -> None:
        self.total = len(source.names)
        self.class_names = source.class_names
        self._source = source
        self._loaded = loaded
        self._asked = asked
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
        recipe, model = self._loaded.recipe, self._asked.model
        image = self._source.picture(number)
        translation.require_room(image, recipe, model, self._most)
        shown, alpha = translation.parted(image, recipe, model)
        return translation.joined(self._restyled(shown), alpha)

    def _restyled(self, picture: NDArray[Any]) -> NDArray[Any]:
        pieces = self._loaded.translate(picture, self._asked.direction)
        while (whole := next(pieces)) is None:
            self._beat()
        return whole
