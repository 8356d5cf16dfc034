"""Random numbers as a function of (seed, name, step): named streams instead of one ordered stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b

import torch
from torch import Tensor


def stream_seed(seed: int, name: str, step: int = 0) -> int:
    """Return the seed of one named stream at one step, in 0 .. 2^63-1."""
    digest = blake2b(f"{seed}/{name}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class Stream(torch.Generator):
    """The generator of one name at one step."""

    step: int
    tape: "DrawTape | None" = None
    tape_index = 0
    """its index among the streams of its tape"""

    def __new__(cls, seed: int, step: int = 0) -> "Stream":
        stream = super().__new__(cls)
        stream.manual_seed(seed)
        stream.step = step
        return stream


DrawFunction = Callable[[Stream], Tensor]
"""draws random numbers from a stream, on the CPU; the result may depend on the stream, its step and constants only"""


def draw_on(stream: Stream, draw: DrawFunction, device: torch.device) -> Tensor:
    """Draw random numbers on the CPU and copy them to the device, without waiting for it."""
    if stream.tape is not None:
        return stream.tape.draw(stream, draw, device)
    return copy_to(draw(stream), device)


def copy_to(x: Tensor, device: torch.device) -> Tensor:
    """Copy a CPU tensor to the device, through pinned memory: any other makes the CPU wait for the GPU."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


class Rng:
    """The named streams of one seed. Numbers are drawn on the CPU, so that they are the same on every device."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tape: DrawTape | None = None

    def stream(self, name: str, step: int = 0) -> Stream:
        """Return a fresh stream for (name, step). Equal arguments give equal numbers."""
        stream = Stream(stream_seed(self.seed, name, step), step)
        if self.tape is not None:
            self.tape.add(stream, name)
        return stream

    def reseed_layers(self, turn: str, step: int) -> None:
        """Seed torch's global generator, for layers such as dropout that take no generator."""
        # Steps with a tape have no such layers, and a CUDA graph cannot capture seeding.
        if self.tape is not None:
            return
        seed = stream_seed(self.seed, f"layers/{turn}", step)
        # Not torch.manual_seed: without a GPU in use it stores the seed for later with a stack trace (0.7 ms).
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.manual_seed_all(seed)

    @contextmanager
    def use_tape(self, tape: "DrawTape") -> Iterator[None]:
        """Record draws on the tape inside the block; replay them if the tape was refilled."""
        self.tape = tape
        try:
            yield
        finally:
            self.tape = None


@dataclass
class _TapedDraw:
    stream_index: int
    draw: DrawFunction
    numbers: Tensor


@dataclass
class DrawTape:
    """The random numbers of one kind of step, in order, each draw in fixed memory of the device, as CUDA graphs need.

    The first such step records its draws. For a later step `refill` draws new numbers into the same memory before the
    graph runs, and the graph replays them.
    """

    first_step: int
    """the step at which recording began: streams are stored relative to it"""
    replaying: bool = False
    _streams: list[tuple[str, int]] = field(default_factory=list)
    """name, and step relative to the first, of each stream"""
    _draws: list[_TapedDraw] = field(default_factory=list)
    _position: int = 0

    def refill(self, rng: Rng, first_step: int) -> None:
        """Draw the numbers of the step that begins at `first_step` and rewind the tape."""
        streams = [rng.stream(name, first_step + offset) for name, offset in self._streams]
        for taped in self._draws:
            fresh = taped.draw(streams[taped.stream_index])
            taped.numbers.copy_(fresh.pin_memory() if taped.numbers.is_cuda else fresh, non_blocking=True)
        self.replaying, self._position = True, 0

    def add(self, stream: Stream, name: str) -> None:
        """Attach a stream; record its name and relative step unless the tape is replayed."""
        stream.tape = self
        if not self.replaying:
            stream.tape_index = len(self._streams)
            self._streams.append((name, stream.step - self.first_step))

    def draw(self, stream: Stream, draw: DrawFunction, device: torch.device) -> Tensor:
        """Record a draw, or return the next recorded one."""
        if not self.replaying:
            self._draws.append(_TapedDraw(stream.tape_index, draw, copy_to(draw(stream), device)))
            return self._draws[-1].numbers
        self._position += 1
        return self._draws[self._position - 1].numbers
