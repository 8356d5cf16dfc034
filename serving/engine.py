"""The engine: one thread that owns the served networks and answers requests for pictures.

A free engine starts at once. While it is busy requests collect, and those of one model run together: no waiting window.
Picture i depends on (export, label, seed, i, temperature) alone, whatever else runs: latents are drawn per picture, and
only batch sizes whose outputs were seen to be bit-equal to each other are used.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from models.export import export_checkpoint, load_export
from models.spec.recipe import Recipe
from serving.loaded import TOGETHER_PIXELS, TURN, Item, Loaded
from serving.protocol import Array, Backlog, Direction, ExportFlawed, Kind, Pick, weight
from serving.thread_priority import yield_to_others


@dataclass(eq=False)
class _Sampling:
    path: Path
    picks: Sequence[Pick]
    seed: int
    temperature: float
    future: Future[Array] = field(default_factory=Future)
    parts: list[Array] = field(default_factory=list)
    done: int = 0
    kind: ClassVar[Kind] = "sample"

    @property
    def left(self) -> int:
        """Pictures that are still to be made."""
        return len(self.picks) - self.done

    def next(self, n: int) -> list[Item]:
        return [Item(*pick, self.seed, self.temperature) for pick in self.picks[self.done : self.done + n]]


@dataclass(eq=False)
class _Translation:
    path: Path
    image: Array
    direction: Direction
    pixels: int
    left: int
    future: Future[Array] = field(default_factory=Future)
    way: Iterator[Array | None] | None = None
    seconds: float = 0.0
    kind: ClassVar[Kind] = "translate"

    def goes_with(self, other: "_Translation") -> bool:
        """Whether both could be one batch."""
        return (self.path, self.direction, self.image.shape) == (other.path, other.direction, other.image.shape)


_Work = _Sampling | _Translation


class Engine:
    """Start it, ask it from any thread, close it. A request whose future is cancelled never reaches a network again."""

    deadline = None
    """an answer is sure to come"""

    def __init__(
        self,
        *,
        device: str = "auto",
        threads: int | None = None,
        bound: int = 4000,
        memory: int = 2 << 30,
        flaw: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`bound`: pictures that may wait; `memory`: bytes of networks kept, the least recently used go first.

        `flaw`: what is wrong with the file of an export, by its name; asked before it is loaded.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._device = torch.device(device)
        self._threads = threads or torch.get_num_threads()
        self._memory = memory
        self._flaw = flaw
        self._loaded: OrderedDict[Path, Loaded] = OrderedDict()
        self._change = threading.Condition()
        self._samplings: deque[_Sampling] = deque()
        self._translations: deque[_Translation] = deque()
        self._backlog = Backlog(bound)
        self._withdrawn = False
        """whether a future was cancelled since the last look"""
        self._turns = [0] * (TURN + 1)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def sample(self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0) -> Future[Array]:
        """As `Loaded.sample`, when its turn has come. Raises Overloaded.

        Truncation multiplies the latent: a normal one comes nearer to the mode, a uniform one is narrowed.
        """
        return self._enter(_Sampling(path, picks, seed, temperature))

    def translate(self, path: Path, image: Array, direction: Direction, *, pixels: int = 0) -> Future[Array]:
        """uint8 [h, w, channels] in, as high and wide out, or larger as the export's recipe has it.

        One that fills holes may be given the hole as one more channel, 255 inside. In the queue it counts by the
        `pixels` of its canvas (Recipe.canvas), at the least by its own. Raises Overloaded.
        """
        pixels = max(pixels, image.shape[0] * image.shape[1])
        return self._enter(_Translation(path, image, direction, pixels, weight(image, pixels)))

    def check(self) -> None:
        """Raises Overloaded where not one more picture may wait."""
        with self._change:
            self._backlog.check(1)

    def export(self, recipe: Recipe, saved: Path, out: Path, *, threads: int) -> None:
        """The export of a checkpoint. Runs on the caller's thread, with the number of threads its job has."""
        torch.set_num_threads(threads)
        export_checkpoint(recipe, saved, out)

    def load(self) -> tuple[int, tuple[int, ...]]:
        """Pictures that wait; and at place n, how many turns made n pictures since the start."""
        return self._backlog.pictures, tuple(self._turns)

    def close(self) -> None:
        """Finish the turn in hand, cancel what waits, end the thread."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()
        waiting: list[_Work] = [*self._samplings, *self._translations]
        for work in waiting:
            work.future.cancel()

    def _enter(self, work: _Work) -> Future[Array]:
        with self._change:
            if self._closed:
                raise RuntimeError("The engine is closed.")
            self._backlog.check(work.left)
            self._backlog.enter(work.kind, work.left)
            if isinstance(work, _Sampling):
                self._samplings.append(work)
            else:
                self._translations.append(work)
            self._change.notify()
        work.future.add_done_callback(self._notice)
        return work.future

    def _notice(self, future: Future[Array]) -> None:
        """On the thread that ends it, so it only leaves a note."""
        if future.cancelled():
            self._withdrawn = True

    @torch.inference_mode()
    def _run(self) -> None:
        yield_to_others()
        while self._wait():
            # Turn by turn, so that neither a thousand pictures nor one huge one keeps the others waiting.
            if self._samplings:
                self._sample_turn()
            if self._translations:
                self._translate_turn()

    def _wait(self) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._closed or self._samplings or self._translations)
            if self._withdrawn:
                self._withdrawn = False  # first: what is cancelled from here on is seen the next time
                self._drop_withdrawn()
            return not self._closed

    def _drop_withdrawn(self) -> None:
        waiting: list[_Work] = [*self._samplings, *self._translations]
        for work in waiting:
            if work.future.cancelled():
                self._remove(work)

    def _sample_turn(self) -> None:
        """Up to a turn of pictures for the model that waits longest, shared among all who ask it."""
        with self._change:
            first = self._samplings[0]
            together = [work for work in self._samplings if work.path == first.path][:TURN]
        shares = _shares([work.left for work in together], TURN)
        items = [item for work, n in zip(together, shares, strict=True) for item in work.next(n)]
        try:
            model = self._model(first.path)
            began = time.monotonic()  # loading comes once and would spoil the pace
            pictures = model.sample(items)
        except Exception as error:  # the engine outlives any one request: who asked is told
            for work in together:
                self._leave(work, error)
            return
        self._measure(first.kind, time.monotonic() - began, len(items))
        self._turns[len(items)] += 1
        for work, n in zip(together, shares, strict=True):
            work.parts.append(pictures[:n])
            pictures = pictures[n:]
            self._advance(work, n)

    def _advance(self, work: _Sampling, n: int) -> None:
        """It leaves, or joins the queue's end."""
        with self._change:
            self._backlog.leave(work.kind, n)
            work.done += n
            if work.left:
                self._samplings.remove(work)
                self._samplings.append(work)
        if not work.left:
            self._leave(work, np.concatenate(work.parts))

    def _translate_turn(self) -> None:
        """Small ones of a kind together, else one tile of the oldest translation: one large one is in memory."""
        with self._change:
            first = self._translations[0]
            alike = [work for work in self._translations if work.goes_with(first)]
        places = min(len(alike), TOGETHER_PIXELS // first.pixels)
        if places < 2:
            self._translate_tile(first)
        else:
            self._translate_together(alike[: 1 << places.bit_length() - 1])  # few sizes: each is tried out once

    def _translate_together(self, works: list[_Translation]) -> None:
        first, began = works[0], time.monotonic()
        try:
            made = self._model(first.path).translate_together([work.image for work in works], first.direction)
        except Exception as error:  # as above
            for work in works:
                self._leave(work, error)
            return
        self._measure(first.kind, time.monotonic() - began, sum(work.left for work in works))
        for work, picture in zip(works, made, strict=True):
            self._leave(work, picture)

    def _translate_tile(self, work: _Translation) -> None:
        try:
            if work.way is None:
                work.way = self._model(work.path).translate(work.image, work.direction)
            began = time.monotonic()
            result = next(work.way)
        except Exception as error:  # as above
            self._leave(work, error)
            return
        work.seconds += time.monotonic() - began
        if result is not None:
            self._measure(work.kind, work.seconds, work.left)
            self._leave(work, result)

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
        """The caller holds the lock."""
        if isinstance(work, _Sampling):
            self._samplings.remove(work)
        else:
            self._translations.remove(work)
        self._backlog.leave(work.kind, work.left)

    def _measure(self, kind: Kind, seconds: float, pictures: int) -> None:
        with self._change:
            self._backlog.measure(kind, seconds, pictures)

    def _model(self, path: Path) -> Loaded:
        if path not in self._loaded:
            if (how := self._flaw(path.name)) is not None:
                raise ExportFlawed(path.name, how)
            self._loaded[path] = Loaded(load_export(path), self._device, self._threads)
        self._loaded.move_to_end(path)
        while len(self._loaded) > 1 and sum(model.bytes for model in self._loaded.values()) > self._memory:
            self._loaded.popitem(last=False)
        return self._loaded[path]


def _shares(wanted: Sequence[int], places: int) -> list[int]:
    """`places` dealt evenly among the askers, none getting more than it wants."""
    shares = [0] * len(wanted)
    while places and (hungry := [i for i, want in enumerate(wanted) if shares[i] < want]):
        portion = max(1, places // len(hungry))
        for i in hungry:
            given = min(portion, wanted[i] - shares[i], places)
            shares[i] += given
            places -= given
    return shares
