"""The pictures of a job that generates or translates, one after the other, from any of them on."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from app.services import bulk, datasets
from app.services.bulk import Generation, Translation
from worker.loading import load
from worker.shards import Made

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from models.engine import Loaded


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
        self.class_names = datasets.class_names(loaded.recipe, datasets.all_datasets())
        self._loaded = loaded
        self._asked = asked

    def made(self, start: int) -> Iterator[Made]:
        from models.engine import TURN, Item

        asked = self._asked
        picks = islice(bulk.in_turn(bulk.counts(asked, self._loaded.recipe)), start, None)
        while turn := list(islice(picks, TURN)):
            drawn = self._loaded.sample([Item(*pick, asked.seed, asked.truncation) for pick in turn])
            for (label, index), array in zip(turn, drawn, strict=True):
                yield Made(array, label, index)


class Restyling:
    """A dataset's pictures, in its order, each as /translate answers it."""

    of = "images"

    def __init__(self, loaded: "Loaded", asked: Translation, beat: Callable[[], None]) -> None:
        data = load(bulk.data_of(asked, loaded.recipe), "train", beat)
        pile = data.images if data.images is not None else data.a if asked.direction == "a2b" else data.b
        assert pile is not None
        self.total = len(pile)
        self.class_names = datasets.find(asked.dataset).info.class_names
        self._pile = pile
        self._labels = data.labels
        self._loaded = loaded
        self._direction = asked.direction
        self._beat = beat

    def made(self, start: int) -> Iterator[Made]:
        for number in range(start, self.total):
            label = None if self._labels is None else int(self._labels[number])
            yield Made(self._restyled(self._pile[number].permute(1, 2, 0).numpy()), label, number)

    def _restyled(self, picture: NDArray[Any]) -> NDArray[Any]:
        pieces = self._loaded.translate(picture, self._direction)
        while (whole := next(pieces)) is None:
            self._beat()
        return whole
