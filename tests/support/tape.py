"""What a CUDA graph does, on the CPU: every operation of a step is noted, and done again on the same memory."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from models.duel import Losses

WAITING = {"_local_scalar_dense", "nonzero", "equal", "masked_select", "is_nonzero"}
"""the CPU cannot go on before the device has done them"""
BRINGING = {"lift_fresh", "lift_fresh_copy"}
"""of a tensor that was made of Python's numbers"""


class _Done(NamedTuple):
    operation: Any
    args: tuple[Any, ...]
    named: dict[str, Any]
    made: list[Tensor]


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """As strict as CUDA: a RuntimeError where the work waits for the device, draws, or brings numbers to it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._done: list[_Done] = []
        self._made: set[int] = set()
        self.found: dict[int, tuple[Tensor, Tensor]] = {}
        """all memory that was there before and is used, with its bytes as they were"""

    def capture(self, work: Callable[[], Losses]) -> Losses:
        with self:
            losses = work()
        for now, before in self.found.values():
            now.copy_(before)
        return losses

    @torch.no_grad()
    def replay(self) -> None:
        for done in self._done:
            again = _tensors(done.operation(*done.args, **done.named))
            for made, new in zip(done.made, again, strict=True):
                if memory(made) != memory(new):
                    made.copy_(new)

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named, name = kwargs or {}, operation.overloadpacket.__name__
        if operation.namespace == "profiler":
            return operation(*args, **named)
        masked = name.startswith("index") and any(tensor.dtype == torch.bool for tensor in _tensors(args[1]))
        if masked or name in WAITING | BRINGING or torch.Tag.nondeterministic_seeded in operation.tags:
            raise RuntimeError(f"{name} cannot be captured.")
        for tensor in _tensors((args, named)):
            if memory(tensor) not in self._made and memory(tensor) not in self.found:
                whole = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
                self.found[memory(tensor)] = whole, whole.clone()
        result = operation(*args, **named)
        made = list(_tensors(result))
        self._made |= {memory(tensor) for tensor in made} - self.found.keys()
        self._done.append(_Done(operation, args, named, made))
        return result


def memory(tensor: Tensor) -> int:
    """The same for all views of one."""
    return int(tensor.untyped_storage()._cdata)


def _tensors(value: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_iter(value) if isinstance(leaf, Tensor))
