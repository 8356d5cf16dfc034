"""The engine: one thread that owns the served networks and answers requests for pictures.

An idle engine serves a request at once. While it is busy, requests collect in the queue, and requests for one model run
as a batch; it never waits for more. Picture i depends on (export, label, seed, i, temperature) alone, whatever else
runs: each picture has its own latent, and only batch sizes whose outputs are bit-equal to each other are used.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
import torch

from models.export import export_checkpoint, load_export
from models.spec.recipe import Recipe
from serving.features import LoadedExtractor
from serving.loaded import MAX_BATCHED_PIXELS, PICTURES_PER_TURN, Axes, Code, Item, LoadedModel
from serving.protocol import (
    Array,
    Backlog,
    CriticFile,
    Direction,
    ExportFlawed,
    Method,
    Pick,
    Turns,
    WorkKind,
    queue_weight,
    search_weight,
)
from serving.search import LoadedSearcher
from serving.thread_priority import use_batch_scheduling


@dataclass(eq=False)
class _Sampling:
    path: Path
    items: Sequence[Any]
    compute: Callable[[LoadedModel, Sequence[Any]], Array]
    """computes a row of the result for each item"""
    kind: WorkKind = "sample"
    future: Future[Array] = field(default_factory=Future)
    parts: list[Array] = field(default_factory=list)
    done: int = 0

    @property
    def remaining(self) -> int:
        """Number of pictures not generated yet."""
        return len(self.items) - self.done

    def next(self, n: int) -> Sequence[Any]:
        """Return the next n items."""
        return self.items[self.done : self.done + n]

    def can_batch_with(self, other: "_Sampling") -> bool:
        """Return whether both can be in one batch."""
        if self.kind == "directions":
            return self is other
        return (self.path, self.compute) == (other.path, other.compute)


@dataclass(eq=False)
class _Translation:
    path: Path
    image: Array
    direction: Direction
    pixels: int
    remaining: int
    """its weight in the queue, in pictures"""
    future: Future[Array] = field(default_factory=Future)
    results: Iterator[Array | None] | None = None
    seconds: float = 0.0
    kind: ClassVar[WorkKind] = "translate"

    def can_batch_with(self, other: "_Translation") -> bool:
        """Return whether both can be in one batch."""
        return (self.path, self.direction, self.image.shape) == (other.path, other.direction, other.image.shape)


@dataclass(eq=False)
class _Extraction:
    path: Path
    pictures: Array
    critic: CriticFile | None
    future: Future[Array] = field(default_factory=Future)
    parts: list[Array] = field(default_factory=list)
    kind: ClassVar[WorkKind] = "features"

    @property
    def remaining(self) -> int:
        """Number of pictures whose features are not computed yet."""
        return len(self.pictures) - len(self.parts)


@dataclass(eq=False)
class _Search:
    path: Path
    picture: Array
    attempts: Array
    turns: Turns
    critic: CriticFile | None
    future: Future[Array] = field(default_factory=Future)
    results: Iterator[Array | None] | None = None
    seconds: float = 0.0
    kind: ClassVar[WorkKind] = "search"

    @property
    def remaining(self) -> int:
        """Its weight in the queue: the pictures that it generates."""
        return search_weight(self.attempts, self.turns)


_Work = _Sampling | _Translation | _Extraction | _Search
L = TypeVar("L", LoadedModel, LoadedExtractor, LoadedSearcher)


class Engine:
    """An engine in this process. Its methods may be called from any thread; a cancelled request is not computed."""

    deadline = None
    """a reply is certain"""

    def __init__(
        self,
        *,
        device: str = "auto",
        threads: int | None = None,
        bound: int = 4000,
        memory: int = 2 << 30,
        flaw: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """Start the engine's thread.

        `bound`: most pictures in the queue. `memory`: most bytes of networks in memory; the least recently used network
        is removed first. `flaw`: returns what is wrong with an export's file, given its name, or None; it is called
        before the file is loaded.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._device = torch.device(device)
        self._threads = threads or torch.get_num_threads()
        self._memory = memory
        self._flaw = flaw
        self._models: OrderedDict[Hashable, LoadedModel | LoadedExtractor | LoadedSearcher] = OrderedDict()
        self._change = threading.Condition()
        self._samplings: deque[_Sampling] = deque()
        self._translations: deque[_Translation] = deque()
        self._extractions: deque[_Extraction] = deque()
        self._searches: deque[_Search] = deque()
        self._backlog = Backlog(bound)
        self._has_cancelled = False
        """whether a future was cancelled since the queue was last cleaned"""
        self._turns = [0] * (PICTURES_PER_TURN + 1)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def sample(
        self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0, truncation: float | None = None
    ) -> Future[Array]:
        """Queue the request and return the future of its pictures (`LoadedModel.sample`). Raises Overloaded.

        `temperature` multiplies the latent: below 1 a normal latent comes nearer to the mode, and a uniform one is
        narrowed. With `truncation`, numbers of the latent beyond it are drawn again, before they are multiplied.
        """
        items = [Item(*pick, seed, temperature, truncation) for pick in picks]
        return self._enter(_Sampling(path, items, LoadedModel.sample))

    def latents(
        self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0, truncation: float | None = None
    ) -> Future[Array]:
        """Queue the drawing of latents float32 [n, size], those of `sample`. Raises Overloaded."""
        items = [Item(*pick, seed, temperature, truncation) for pick in picks]
        return self._enter(_Sampling(path, items, LoadedModel.latents, "latents"))

    def decode(self, path: Path, latents: Array, weights: Array | None = None) -> Future[Array]:
        """Queue the pictures of latents float32 [n, size] (`LoadedModel.decode`). Raises Overloaded.

        A model with classes needs `weights` float32 [n, classes].
        """
        rows = [None] * len(latents) if weights is None else weights
        codes = [Code(*row) for row in zip(latents, rows, strict=True)]
        return self._enter(_Sampling(path, codes, LoadedModel.decode))

    def translate(self, path: Path, image: Array, direction: Direction, *, pixels: int = 0) -> Future[Array]:
        """Queue the translation of a picture [h, w, channels] and return its future.

        Levels are uint8 or uint16; those of the result are the model's. The result has the picture's size, times the
        recipe's upscaling. A model that fills holes takes the hole as one more channel, the full level inside. The
        picture counts in the queue by `pixels`, those of its canvas (Recipe.canvas), or by its own pixels if they are
        more. Raises Overloaded.
        """
        pixels = max(pixels, image.shape[0] * image.shape[1])
        return self._enter(_Translation(path, image, direction, pixels, queue_weight(image, pixels)))

    def features(self, path: Path, pictures: Array, critic: CriticFile | None) -> Future[Array]:
        """Queue pictures, levels [n, side, side, channels], and return the future of their features float32 [n, f].

        They are the critic's, or without one those of the encoder that the export holds. Raises Overloaded.
        """
        return self._enter(_Extraction(path, pictures, critic))

    def search(
        self, path: Path, picture: Array, attempts: Array, turns: Turns, critic: CriticFile | None
    ) -> Future[Array]:
        """Queue a search and return the future of its attempts (`LoadedSearcher.steps`). Raises Overloaded."""
        return self._enter(_Search(path, picture, attempts, turns, critic))

    def directions(self, path: Path, method: Method, n: int, seed: int) -> Future[Array]:
        """Queue the search for directions (`LoadedModel.directions`). Raises Overloaded."""
        return self._enter(_Sampling(path, [Axes(method, n, seed)], LoadedModel.directions, "directions"))

    def check(self) -> None:
        """Raise Overloaded if the queue has no room for one more picture."""
        with self._change:
            self._backlog.check(1)

    def export(self, recipe: Recipe, checkpoint_file: Path, out: Path, *, threads: int) -> None:
        """Write the export of a checkpoint on the caller's thread, with its job's number of threads."""
        torch.set_num_threads(threads)
        export_checkpoint(recipe, checkpoint_file, out)

    def load(self) -> tuple[int, tuple[int, ...]]:
        """Return the number of waiting pictures, and at index n the number of turns that generated n pictures."""
        return self._backlog.pictures, tuple(self._turns)

    def close(self) -> None:
        """Finish the current turn, cancel the waiting requests, end the thread."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()
        for work in self._waiting():
            work.future.cancel()

    def _enter(self, work: _Work) -> Future[Array]:
        with self._change:
            if self._closed:
                raise RuntimeError("The engine is closed.")
            self._backlog.check(work.remaining)
            self._backlog.enter(work.kind, work.remaining)
            self._queue(work).append(work)
            self._change.notify()
        work.future.add_done_callback(self._note_cancelled)
        return work.future

    def _note_cancelled(self, future: Future[Array]) -> None:
        """Note that a future was cancelled. It sets a flag only, since it runs on the thread that cancels."""
        if future.cancelled():
            self._has_cancelled = True

    @torch.inference_mode()
    def _run(self) -> None:
        use_batch_scheduling()
        while self._wait():
            # Turns alternate, so that neither a thousand samples nor one huge translation keeps other requests waiting.
            if self._samplings:
                self._sample_turn()
            if self._translations:
                self._translate_turn()
            if self._extractions:
                self._extract_turn()
            if self._searches:
                self._search_turn()

    def _wait(self) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._closed or self._waiting())
            if self._has_cancelled:
                # Reset first: a request cancelled from here on sets the flag again.
                self._has_cancelled = False
                self._drop_cancelled()
            return not self._closed

    def _drop_cancelled(self) -> None:
        for work in self._waiting():
            if work.future.cancelled():
                self._remove(work)

    def _sample_turn(self) -> None:
        """Generate up to PICTURES_PER_TURN pictures by the oldest request's model, divided among its requests."""
        with self._change:
            first = self._samplings[0]
            batch = [work for work in self._samplings if work.can_batch_with(first)][:PICTURES_PER_TURN]
        shares = _deal([work.remaining for work in batch], PICTURES_PER_TURN)
        items = [item for work, n in zip(batch, shares, strict=True) for item in work.next(n)]
        try:
            model = self._model(first.path)
            # The clock starts after loading, which happens once and would distort the measured speed.
            began = time.monotonic()
            pictures = first.compute(model, items)
        except Exception as error:  # the engine survives any failed request; its future gets the error
            for work in batch:
                self._leave(work, error)
            return
        self._measure(first.kind, time.monotonic() - began, len(items))
        if first.kind == "sample":
            self._turns[len(items)] += 1
        for work, n in zip(batch, shares, strict=True):
            work.parts.append(pictures[:n])
            pictures = pictures[n:]
            self._advance(work, n)

    def _advance(self, work: _Sampling, n: int) -> None:
        """Count n more pictures of a request; end it if it has all of them, else move it to the end of the queue."""
        with self._change:
            self._backlog.leave(work.kind, n)
            work.done += n
            if work.remaining:
                self._samplings.remove(work)
                self._samplings.append(work)
        if not work.remaining:
            self._leave(work, np.concatenate(work.parts))

    def _translate_turn(self) -> None:
        """Translate a batch of small pictures of one shape, else one tile of the oldest translation.

        Only one large picture is in memory at a time.
        """
        with self._change:
            first = self._translations[0]
            same_shape = [work for work in self._translations if work.can_batch_with(first)]
        size = min(len(same_shape), MAX_BATCHED_PIXELS // first.pixels)
        if size < 2:
            self._translate_tile(first)
        else:
            # Powers of 2 only, since each batch size is compared once with single pictures.
            self._translate_together(same_shape[: 1 << size.bit_length() - 1])

    def _translate_together(self, works: list[_Translation]) -> None:
        first, began = works[0], time.monotonic()
        try:
            pictures = self._model(first.path).translate_together([work.image for work in works], first.direction)
        except Exception as error:  # as above
            for work in works:
                self._leave(work, error)
            return
        self._measure(first.kind, time.monotonic() - began, sum(work.remaining for work in works))
        for work, picture in zip(works, pictures, strict=True):
            self._leave(work, picture)

    def _translate_tile(self, work: _Translation) -> None:
        self._take_part(work, lambda: self._model(work.path).translate(work.image, work.direction))

    def _take_part(self, work: _Translation | _Search, begin: Callable[[], Iterator[Array | None]]) -> None:
        """Compute the next part of a request; `begin` returns its parts, None for each but the last."""
        try:
            if work.results is None:
                work.results = begin()
            began = time.monotonic()
            result = next(work.results)
        except Exception as error:  # as above
            self._leave(work, error)
            return
        work.seconds += time.monotonic() - began
        if result is not None:
            self._measure(work.kind, work.seconds, work.remaining)
            self._leave(work, result)

    def _extract_turn(self) -> None:
        """Compute the features of one picture of the oldest request."""
        with self._change:
            work = self._extractions[0]
        try:
            extractor = self._extractor(work.path, work.critic)
            began = time.monotonic()
            features = extractor.features(work.pictures[len(work.parts)])
        except Exception as error:  # as above
            self._leave(work, error)
            return
        self._measure(work.kind, time.monotonic() - began, 1)
        with self._change:
            self._backlog.leave(work.kind, 1)
            work.parts.append(features)
        if not work.remaining:
            self._leave(work, np.stack(work.parts))

    def _search_turn(self) -> None:
        """Take one step of the oldest search, or a part of a step if its pictures are large."""
        with self._change:
            work = self._searches[0]
        self._take_part(
            work,
            lambda: self._searcher(work.path, work.critic).steps(work.picture, work.attempts, work.turns),
        )

    def _waiting(self) -> list[_Work]:
        return [*self._samplings, *self._translations, *self._extractions, *self._searches]

    def _queue(self, work: _Work) -> deque[Any]:
        """Return the queue of a request's kind."""
        match work.kind:
            case "sample" | "latents" | "directions":
                return self._samplings
            case "translate":
                return self._translations
            case "features":
                return self._extractions
            case "search":
                return self._searches

    def _leave(self, work: _Work, outcome: Array | Exception) -> None:
        with self._change:
            self._remove(work)
        if not work.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Exception):
            work.future.set_exception(outcome)
        else:
            work.future.set_result(outcome)

    def _remove(self, work: _Work) -> None:
        """Remove the request from the queue. The caller holds the lock."""
        self._queue(work).remove(work)
        self._backlog.leave(work.kind, work.remaining)

    def _measure(self, kind: WorkKind, seconds: float, pictures: int) -> None:
        with self._change:
            self._backlog.measure(kind, seconds, pictures)

    def _model(self, path: Path) -> LoadedModel:
        return self._loaded(path, path, lambda: LoadedModel(load_export(path), self._device, self._threads))

    def _extractor(self, path: Path, critic: CriticFile | None) -> LoadedExtractor:
        key = "features", path, critic
        return self._loaded(key, path, lambda: LoadedExtractor(path, critic, self._device, self._threads))

    def _searcher(self, path: Path, critic: CriticFile | None) -> LoadedSearcher:
        key = "search", path, critic
        return self._loaded(key, path, lambda: LoadedSearcher(path, critic, self._device, self._threads))

    def _loaded(self, key: Hashable, path: Path, load: Callable[[], L]) -> L:
        """Return what is in memory under the key, or load it from an export; the oldest make room for it."""
        model = self._models.get(key)
        if model is None:
            if (how := self._flaw(path.name)) is not None:
                raise ExportFlawed(path.name, how)
            model = self._models[key] = load()
        self._models.move_to_end(key)
        while len(self._models) > 1 and sum(model.bytes for model in self._models.values()) > self._memory:
            self._models.popitem(last=False)
        return cast(L, model)


def _deal(wanted: Sequence[int], total: int) -> list[int]:
    """Divide `total` pictures evenly among requests; none gets more than it wants."""
    shares = [0] * len(wanted)
    while total and (unsatisfied := [i for i, want in enumerate(wanted) if shares[i] < want]):
        portion = max(1, total // len(unsatisfied))
        for i in unsatisfied:
            addition = min(portion, wanted[i] - shares[i], total)
            shares[i] += addition
            total -= addition
    return shares
