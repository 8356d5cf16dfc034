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
from itertools import chain
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from data.images import levels
from models.build import parameters
from models.export import Export, export_checkpoint, load_export
from models.games import degrade
from models.latent import cycling_labels, draw_latents
from models.rng import stream_seed
from models.spec.games import Paired
from models.spec.recipe import Recipe
from serving.fuse_batchnorm import fold
from serving.matmul_deconv import as_products
from serving.protocol import Array, Backlog, Direction, ExportFlawed, Kind, Pick, weight
from serving.thread_priority import yield_to_others
from serving.tiling import Translator, at_once, restyle, tile_of

SIZES = (32, 16, 8, 4, 2, 1)
TURN = SIZES[0]
"""pictures the engine makes before it looks at the queue again"""
SMALL = 2_000_000
"""weights below which a generator is quicker on one thread than on several"""
TOGETHER_PIXELS = 8 * 64 * 64
"""of the translations of one batch: on a CPU larger pictures are no quicker in company"""


@dataclass(frozen=True, slots=True)
class Item:
    """A pick with what its request says of all of them."""

    label: int | None
    index: int
    seed: int
    temperature: float


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


class Loaded:
    """An export on the device, with the batch sizes it is run at."""

    def __init__(self, export: Export, device: torch.device, threads: int) -> None:
        self.recipe = export.recipe
        self.device = device
        self.networks = {name: network.to(device) for name, network in export.networks.items()}
        for network in self.networks.values():
            fold(network)
        weights = sum(parameters(network) for network in self.networks.values())
        self.bytes = sum(_held(network) for network in self.networks.values())
        self.threads = 1 if self.recipe.draws and weights < SMALL else threads
        self._tile = tile_of(export.recipe) if export.recipe.translates else 0
        self._alike: dict[tuple[Direction, tuple[int, ...], int], bool] = {}
        """whether so many pictures of a shape come out of one batch as they do alone, bit for bit"""
        if self.recipe.draws:
            # Both are quicker, and most convolutions then compute a picture alike in every batch.
            as_products(self.networks["generator"])
            self.networks["generator"].to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            torch.set_num_threads(self.threads)
            self.sizes = self._bit_equal_sizes()

    def sample(self, items: Sequence[Item]) -> Array:
        """uint8 [n, side, side, channels]; of points float32 [n, dimension]; of strings int64 [n, length], symbols."""
        torch.set_num_threads(self.threads)
        seeds = [stream_seed(item.seed, "picture", item.index) for item in items]
        z = draw_latents(self.recipe.latent, seeds) * torch.tensor([[item.temperature] for item in items])
        labels = torch.tensor([item.label for item in items]) if self.recipe.labelled else None
        return self._to_array(self._cut(z, labels, self.sizes))

    def translate(self, image: Array, direction: Direction) -> Iterator[Array | None]:
        """As serving.tiling.restyle; a hole that `image` does not bring is where the training had it."""
        torch.set_num_threads(self.threads)
        for piece in restyle(self._translator(direction), self._given(image), self.device, tile=self._tile):
            yield piece
            torch.set_num_threads(self.threads)  # another model may have had its turn since

    def translate_together(self, images: Sequence[Array], direction: Direction) -> list[Array]:
        """Pictures of one shape that fit into one piece, each as `translate` gives it.

        So many of a shape are one batch only after that was seen to change no bit: the first ones are made both ways.
        """
        torch.set_num_threads(self.threads)
        translator, given = self._translator(direction), [self._given(image) for image in images]
        key = direction, given[0].shape, len(given)
        if self._alike.get(key):
            return list(levels(at_once(translator, given, self.device)))
        alone = np.concatenate([at_once(translator, [image], self.device) for image in given])
        if key not in self._alike:
            self._alike[key] = np.array_equal(alone, at_once(translator, given, self.device))
        return list(levels(alone))

    def _translator(self, direction: Direction) -> Translator:
        network = self.networks[direction if self.recipe.game.kind == "unpaired" else "generator"]
        return Translator(
            network, self.recipe.multiple, self.recipe.enlarges, self.recipe.fills_holes, self.recipe.reach
        )

    def _given(self, image: Array) -> Array:
        game = self.recipe.game
        if isinstance(game, Paired) and self.recipe.fills_holes and image.shape[2] == self.recipe.shape[0]:
            return _with_hole(image, game)
        return image

    def _cut(self, z: Tensor, labels: Tensor | None, sizes: Sequence[int]) -> Tensor:
        """Run in pieces of the given sizes, the largest first; what is left is filled up to the smallest."""
        outputs, start = [], 0
        while left := len(z) - start:
            size = next((size for size in sizes if size <= left), sizes[-1])
            label = None if labels is None else _piece(labels, start, size)
            outputs.append(self._generate(_piece(z, start, size), label)[:left])
            start = min(start + size, len(z))
        return torch.cat(outputs)

    def _generate(self, z: Tensor, labels: Tensor | None) -> Tensor:
        label = None if labels is None else labels.to(self.device)
        output: Tensor = self.networks["generator"](z.to(self.device), label)
        return output.float().cpu()

    def _bit_equal_sizes(self) -> tuple[int, ...]:
        """The most sizes whose outputs on fixed latents equal each other bit for bit, the largest first.

        Matrix products of one row often take another way than those of several: then 1 is not among them.
        """
        z = draw_latents(self.recipe.latent, range(TURN))
        labels = cycling_labels(self.recipe.classes, TURN)
        groups: list[tuple[Tensor, list[int]]] = []
        for size in SIZES:
            output = self._cut(z, labels, (size,))
            alike = next((sizes for seen, sizes in groups if torch.equal(seen, output)), None)
            if alike is None:
                groups.append((output, [size]))
            else:
                alike.append(size)
        _, most = max(groups, key=lambda group: len(group[1]))
        return tuple(most)

    def _to_array(self, output: Tensor) -> Array:
        if self.recipe.data.kind == "points":
            return output.numpy()
        if self.recipe.data.kind == "sequences":
            return output.argmax(dim=2).numpy()
        return levels(output.permute(0, 2, 3, 1).contiguous().numpy())


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


def _piece(rows: Tensor, start: int, size: int) -> Tensor:
    """[size, ...] from `start` on; the last row is repeated where there are too few."""
    piece = rows[start : start + size]
    return piece if len(piece) == size else piece[torch.arange(size).clamp(max=len(piece) - 1)]


def _held(network: nn.Module) -> int:
    """Bytes of its weights and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in chain(network.parameters(), network.buffers()))


def _with_hole(image: Array, game: Paired) -> Array:
    """[h, w, c] -> [h, w, c + 1]: the hole of the training, 255 inside."""
    if game.mask == "random":
        raise ValueError("A model trained on holes anywhere must be told where this one is.")
    hole = degrade.hole(game.mask, 1, image.shape[0], image.shape[1], torch.Generator())[0]
    return np.concatenate([image, (255 * hole).to(torch.uint8).permute(1, 2, 0).numpy()], axis=2)


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
