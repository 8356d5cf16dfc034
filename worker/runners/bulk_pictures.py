"""Generate or translate the examples of a bulk job one after the other, starting at any of them."""

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
from worker.runners.bulk_sources import PictureSource
from worker.runners.shard_writer import ShardExample

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from serving.loaded import LoadedModel


EMPTY_ARRAY = np.empty(0, np.uint8)

ClassCounts = Mapping[int | None, int]
"""number of examples by class; the only key of a model without classes is None"""


class BulkExamples(Protocol):
    """The examples that a bulk job writes."""

    total: int
    array_name: str
    """name of their array in a .npz file"""
    class_names: tuple[str, ...]
    """names of their labels"""

    def examples(self, start: int) -> Iterator[ShardExample]:
        """Yield all examples from number `start` on."""
        ...


class GeneratedExamples:
    """Pictures, points or strings from noise, the same as /sample generates."""

    def __init__(self, loaded: "LoadedModel", spec: Generate) -> None:
        kind = loaded.recipe.data.kind
        self.total = spec.n
        self.array_name: str = kind if kind in ("points", "sequences") else "images"
        self.class_names = catalog.class_names(loaded.recipe, catalog.all_datasets())
        self._loaded = loaded
        self._spec = spec

    def examples(self, start: int) -> Iterator[ShardExample]:
        from serving.loaded import PICTURES_PER_TURN, Item

        spec = self._spec
        picks = islice(round_robin(class_counts(spec)), start, None)
        while turn := list(islice(picks, PICTURES_PER_TURN)):
            arrays = self._loaded.sample([Item(*pick, spec.seed, spec.temperature, spec.truncation) for pick in turn])
            for (label, index), array in zip(turn, arrays, strict=True):
                yield ShardExample(array, label, index)


class TranslatedExamples:
    """Translated pictures at their own sizes and in their order, the same as /translate returns.

    A picture that /translate refuses is skipped, with the reason.
    """

    array_name = "images"

    def __init__(self, loaded: "LoadedModel", spec: Translate, source: PictureSource, beat: Callable[[], None]) -> None:
        self.total = len(source.names)
        self.class_names = source.class_names
        self._source = source
        self._loaded = loaded
        self._spec = spec
        self._beat = beat
        self._max_pixels = get_settings().max_pixels

    def examples(self, start: int) -> Iterator[ShardExample]:
        for number in range(start, self.total):
            label = None if self._source.labels is None else self._source.labels[number]
            name = self._source.names[number]
            try:
                yield ShardExample(self._translate(number), label, number, name)
            except (Invalid, UnsupportedMedia) as refusal:
                yield ShardExample(EMPTY_ARRAY, label, number, self._source.original_name(number), refusal.detail)

    def _translate(self, number: int) -> NDArray[Any]:
        """Translate one picture with its alpha channel. Raises Invalid, UnsupportedMedia."""
        recipe, model = self._loaded.recipe, self._spec.weights.model or ""
        image = self._source.picture(number)
        translation.require_room(image, recipe, model, self._max_pixels)
        shown, alpha = translation.split_alpha(image, recipe, model)
        return translation.join_alpha(self._run_network(shown), alpha)

    def _run_network(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Translate a picture piece by piece, with a heartbeat after each piece."""
        pieces = self._loaded.translate(picture, self._spec.direction)
        while (result := next(pieces)) is None:
            self._beat()
        return result


def class_counts(spec: Generate) -> ClassCounts:
    """Return how many examples of each class the job generates, by the number of the class."""
    classes = spec.recipe.classes
    if not classes:
        return {None: spec.n}
    if spec.classes is not None:
        return {int(number): n for number, n in spec.classes.items()}
    quotient, remainder = divmod(spec.n, classes)
    return {number: quotient + (number < remainder) for number in range(classes)}


def round_robin(counts: ClassCounts) -> Iterator[tuple[int | None, int]]:
    """Yield class and number within the class of every example, taking the classes in turn.

    So classes are balanced in every shard, and in the shards of a job that was cancelled.
    """
    index, unfinished = 0, [(label, n) for label, n in counts.items() if n > 0]
    while unfinished:
        for label, _ in unfinished:
            yield label, index
        index += 1
        unfinished = [(label, n) for label, n in unfinished if n > index]
