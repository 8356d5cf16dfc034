"""Capture a step as a CUDA graph once, then replay it.

A small network's step is hundreds of short kernels, and to launch each takes Python longer than the GPU needs for it. A
graph launches all of them at once. It repeats what was captured, with the same memory: so what changes from step to
step has to lie in tensors that are filled before, and nothing in between may ask the device for a number.
"""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd

from models import distributed
from models.duel import Losses
from models.nets.layers.common import Scheduled
from models.rng import DrawTape, Rng
from models.spec.recipe import Recipe
from worker.training.players import Player

log = logging.getLogger(__name__)

BY_HAND = 2
"""steps of each kind before one is captured: they make what is made once, such as an optimiser's moments"""


class Graph(Protocol):
    """Work of the device that can be done again."""

    def capture(self, work: Callable[[], Losses]) -> Losses:
        """Note the work without doing it; into the losses each replay writes. Raises RuntimeError where it cannot."""

    def replay(self) -> None: ...


class CudaGraph:
    def __init__(self) -> None:
        self._graph = torch.cuda.CUDAGraph()

    def capture(self, work: Callable[[], Losses]) -> Losses:
        stream = torch.cuda.current_stream()
        try:  # other threads of the process may go on using the device meanwhile
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                return work()
        finally:
            torch.cuda.set_stream(stream)  # which torch does not put back where it could not end the capture

    def replay(self) -> None:
        self._graph.replay()


def graph_on(device: torch.device, wanted: bool) -> type[CudaGraph] | None:
    """What steps are captured in on this device, if in anything."""
    return CudaGraph if wanted and device.type == "cuda" else None


def why_not(recipe: Recipe, players: Sequence[Player]) -> str | None:
    """What keeps this recipe's steps from being captured, if anything does."""
    modules = [module for player in players for module in player.network.modules()]
    if distributed.world_size() > 1:
        return "the job computes on several devices"
    if any(isinstance(module, Scheduled) for module in modules) or getattr(recipe.game, "instance_noise", None):
        return "what they compute changes over the budget"
    if any(isinstance(module, _DropoutNd) for module in modules):
        return "dropout draws anew in each"
    if not all(isinstance(player.optimizer, torch.optim.Adam) for player in players):
        return "only Adam can read its learning rate on the device"
    return None


class Captured:
    """The moves of a trainer's steps, each kind of step in a graph of its own.

    The first steps of a kind are made by hand. The next is made twice, by hand and by its graph, and only where both
    leave the same bits does the graph make the others: so weights are the same with and without, and a resumed job's.
    """

    def __init__(
        self, moves: Callable[[], Losses], state: Callable[[], list[Tensor]], rng: Rng, graph: Callable[[], Graph]
    ) -> None:
        """`state` are the tensors that moves may change."""
        self._moves, self._state, self._rng, self._graph = moves, state, rng, graph
        self.forget()

    def forget(self) -> None:
        """Begin anew: the tensors of the state are no longer the same ones."""
        self._seen: Counter[Hashable] = Counter()
        self._kept: dict[Hashable, tuple[Graph, DrawTape, Losses]] = {}
        self._reason: str | None = None

    def run(self, kind: Hashable, first: int) -> Losses:
        """One step's moves, of this kind, with the numbers of the streams from step `first` on.

        The losses last until the next step.
        """
        if kind in self._kept:
            graph, tape, losses = self._kept[kind]
            tape.refill(self._rng, first)
            graph.replay()
            return losses
        self._seen[kind] += 1
        if self._reason or self._seen[kind] <= BY_HAND:
            return self._moves()
        return self._prove(kind, first)

    def _prove(self, kind: Hashable, first: int) -> Losses:
        state, tape = self._state(), DrawTape(first)
        before = [tensor.clone() for tensor in state]
        with self._rng.use_tape(tape):
            by_hand = {name: loss.clone() for name, loss in self._moves().items()}
        wanted = [tensor.clone() for tensor in state]
        _put(state, before)
        del before  # a graph needs memory of its own
        tape.refill(self._rng, first)
        graph = self._graph()
        try:
            with self._rng.use_tape(tape):
                losses = graph.capture(self._moves)
            graph.replay()
        except RuntimeError as error:
            # The work's own error, of which the end of the capture only says that there was one.
            self._reason = str(error.__context__ or error).partition("\n")[0]
        else:
            if _same(state, wanted) and _same(losses.values(), by_hand.values()):
                self._kept[kind] = graph, tape, losses
                return losses
            self._reason = "a captured step did not leave the bits of one made by hand"
        log.warning("Steps go on one by one, not as CUDA graphs, with the same result: %s", self._reason)
        self._kept.clear()
        _put(state, wanted)
        return by_hand


def tensors_of(state: Any) -> Iterator[Tensor]:
    """Every tensor in nested dicts and lists, in their order."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping | list | tuple):
        for part in state.values() if isinstance(state, Mapping) else state:
            yield from tensors_of(part)


@torch.no_grad()
def _put(state: list[Tensor], values: list[Tensor]) -> None:
    for tensor, value in zip(state, values, strict=True):
        tensor.copy_(value)


def _same(some: Any, others: Any) -> bool:
    """Synchronises with the device."""
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))
