"""Capture a step as a CUDA graph once, then replay it.

A small network's step is hundreds of short kernels, and Python needs longer to launch each than the GPU to run it. A
graph launches all of them at once. A replay uses the memory of the capture. Therefore whatever changes from step to
step must lie in tensors that are filled before the replay, and the step must not read a number from the device.
"""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
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

EAGER_STEPS = 2
"""steps of each kind that run before one is captured: they create what is created once, such as optimiser moments"""


class Graph(Protocol):
    """Recorded device work that can be replayed."""

    def capture(self, work: Callable[[], Losses]) -> Losses:
        """Record `work` without running it, and return the losses that each replay overwrites.

        Raises RuntimeError if the work cannot be captured.
        """

    def replay(self) -> None: ...


class CudaGraph:
    def __init__(self) -> None:
        self._graph = torch.cuda.CUDAGraph()

    def capture(self, work: Callable[[], Losses]) -> Losses:
        stream = torch.cuda.current_stream()
        try:  # thread_local: other threads of the process may use the device meanwhile
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                return work()
        finally:
            torch.cuda.set_stream(stream)  # torch does not restore it when a capture fails

    def replay(self) -> None:
        self._graph.replay()


def graph_class(device: torch.device, wanted: bool) -> type[CudaGraph] | None:
    """Return the class of graphs to capture steps with, or None where steps run one by one."""
    return CudaGraph if wanted and device.type == "cuda" else None


def capture_obstacle(recipe: Recipe, players: Sequence[Player]) -> str | None:
    """Return why this recipe's steps cannot be captured, as the end of a sentence; None if they can."""
    modules = [module for player in players for module in player.network.modules()]
    if distributed.world_size() > 1:
        return "the job computes on several devices"
    if any(isinstance(module, Scheduled) for module in modules) or getattr(recipe.game, "instance_noise", None):
        return "their computation changes over the budget"
    if any(isinstance(module, _DropoutNd) for module in modules):
        return "dropout draws a new mask in each"
    if not all(isinstance(player.optimizer, torch.optim.Adam) for player in players):
        return "only Adam can read its learning rate on the device"
    return None


class CapturedSteps:
    """A trainer's steps as CUDA graphs, one graph for each kind of step.

    The first steps of a kind run eagerly. The next one runs twice, eagerly and as a graph, and the graph is used from
    then on only if both leave the same bits. So weights are the same with and without graphs, and after a resume.
    """

    def __init__(
        self, step: Callable[[], Losses], state: Callable[[], list[Tensor]], rng: Rng, new_graph: Callable[[], Graph]
    ) -> None:
        """`step` runs one step eagerly; `state` returns the tensors that it may change."""
        self._step, self._state, self._rng, self._new_graph = step, state, rng, new_graph
        self.reset()

    def reset(self) -> None:
        """Drop all graphs: the state lies in other tensors now."""
        self._eager_runs: Counter[Hashable] = Counter()
        self._graphs: dict[Hashable, tuple[Graph, DrawTape, Losses]] = {}
        self._failure: str | None = None

    def run(self, kind: Hashable, first: int) -> Losses:
        """Run one step of this kind and return its losses, which the next step overwrites.

        The step's random streams are those of the draws from number `first` on.
        """
        if kind in self._graphs:
            graph, script, losses = self._graphs[kind]
            script.refill(self._rng, first)
            graph.replay()
            return losses
        self._eager_runs[kind] += 1
        if self._failure or self._eager_runs[kind] <= EAGER_STEPS:
            return self._step()
        return self._capture_and_compare(kind, first)

    def _capture_and_compare(self, kind: Hashable, first: int) -> Losses:
        """Run the step eagerly and as a new graph; keep the graph only if it leaves the same bits."""
        state, script = self._state(), DrawTape(first)
        before = [tensor.clone() for tensor in state]
        with self._rng.use_tape(script):
            eager_losses = {name: loss.clone() for name, loss in self._step().items()}
        eager_state = [tensor.clone() for tensor in state]
        _copy_into(state, before)
        del before  # a graph allocates memory of its own
        script.refill(self._rng, first)
        graph = self._new_graph()
        try:
            with self._rng.use_tape(script):
                losses = graph.capture(self._step)
            graph.replay()
        except RuntimeError as error:
            # The context holds the error of the step itself; `error` only says that the capture failed.
            self._failure = str(error.__context__ or error).partition("\n")[0]
        else:
            if _equal_bits(state, eager_state) and _equal_bits(losses.values(), eager_losses.values()):
                self._graphs[kind] = graph, script, losses
                return losses
            self._failure = "a captured step did not leave the same bits as an eager one"
        log.warning("Steps go on one by one, not as CUDA graphs, with the same result: %s", self._failure)
        self._graphs.clear()
        _copy_into(state, eager_state)
        return eager_losses


def tensors_of(state: Any) -> Iterator[Tensor]:
    """Yield every tensor in nested dicts, lists and tuples, in their order."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping | list | tuple):
        for part in state.values() if isinstance(state, Mapping) else state:
            yield from tensors_of(part)


@torch.no_grad()
def _copy_into(state: list[Tensor], values: list[Tensor]) -> None:
    for tensor, value in zip(state, values, strict=True):
        tensor.copy_(value)


def _equal_bits(first: Iterable[Tensor], second: Iterable[Tensor]) -> bool:
    """Return whether the tensors are equal in pairs. Synchronises with the device."""
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
