"""Everything random is a function of (seed, name, step): named streams instead of one ordered stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b

import torch
from torch import Tensor


def stream_seed(seed: int, name: str, step: int = 0) -> int:
    """A seed in 0 .. 2^63-1 for one named stream at one step."""
    digest = blake2b(f"{seed}/{name}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class Stream(torch.Generator):
    """The numbers of one name at one step."""

    step: int
    script: "Script | None" = None
    place = 0
    """among the streams of its script"""

    def __new__(cls, seed: int, step: int = 0) -> "Stream":
        stream = super().__new__(cls)
        stream.manual_seed(seed)
        stream.step = step
        return stream


Numbers = Callable[[Stream], Tensor]
"""Draws from a stream, on the CPU. Besides, it may look at the stream's step and at what never changes."""


def drawn(stream: Stream, draw: Numbers, device: torch.device) -> Tensor:
    """What `draw` draws, on the device, which is not waited for."""
    if stream.script is not None:
        return stream.script.drawn(stream, draw, device)
    return handed(draw(stream), device)


def handed(x: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on the device. Out of pinned memory, since any other makes the CPU wait for the GPU."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


class Rng:
    """Named streams of one seed. Numbers are drawn on the CPU, so that they are the same on every device."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.script: Script | None = None

    def stream(self, name: str, step: int = 0) -> Stream:
        """A fresh stream for (name, step); asking twice gives the same numbers twice."""
        stream = Stream(stream_seed(self.seed, name, step), step)
        if self.script is not None:
            self.script.enter(stream, name)
        return stream

    def reseed_layers(self, turn: str, step: int) -> None:
        """Set torch's global generator, for layers such as dropout that take none."""
        if self.script is not None:  # whose steps have no such layers; and a graph could not take it in
            return
        seed = stream_seed(self.seed, f"layers/{turn}", step)
        # Not torch.manual_seed: with no GPU in use it keeps the seed for later, with the lines of its callers (.7 ms).
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.manual_seed_all(seed)

    @contextmanager
    def follow(self, script: "Script") -> Iterator[None]:
        """Whatever is drawn meanwhile is written into the script, or read from it."""
        self.script = script
        try:
            yield
        finally:
            self.script = None


@dataclass
class _Line:
    stream: int
    draw: Numbers
    numbers: Tensor


@dataclass
class Script:
    """What one kind of step draws, in order, each time into the same memory of the device.

    It is written at the first of them. A later one fills it and then reads, so that nothing is drawn in between.
    """

    first: int
    """the step of a stream that counts as 0"""
    reading: bool = False
    _streams: list[tuple[str, int]] = field(default_factory=list)
    _lines: list[_Line] = field(default_factory=list)
    _read: int = 0

    def fill(self, rng: Rng, first: int) -> None:
        """Put in the numbers of the step that begins at `first`; it is read from its first line again."""
        streams = [rng.stream(name, first + after) for name, after in self._streams]
        for line in self._lines:
            fresh = line.draw(streams[line.stream])
            line.numbers.copy_(fresh.pin_memory() if line.numbers.is_cuda else fresh, non_blocking=True)
        self.reading, self._read = True, 0

    def enter(self, stream: Stream, name: str) -> None:
        stream.script = self
        if not self.reading:
            stream.place = len(self._streams)
            self._streams.append((name, stream.step - self.first))

    def drawn(self, stream: Stream, draw: Numbers, device: torch.device) -> Tensor:
        if not self.reading:
            self._lines.append(_Line(stream.place, draw, handed(draw(stream), device)))
            return self._lines[-1].numbers
        self._read += 1
        return self._lines[self._read - 1].numbers
