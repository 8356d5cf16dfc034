"""A CUDA graph imitated on the CPU: the operations of a step are recorded, and repeated on the same memory."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from models.duel import Losses

SYNCHRONISING = {"_local_scalar_dense", "nonzero", "equal", "masked_select", "is_nonzero"}
"""operations for which the CPU waits until the device has finished"""
FROM_HOST = {"lift_fresh", "lift_fresh_copy"}
"""operations that copy Python numbers to the device"""


class _Operation(NamedTuple):
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[Tensor]


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """As strict as CUDA: raises RuntimeError where the work waits for the device, draws, or copies numbers to it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operations: list[_Operation] = []
        self._created: set[int] = set()
        self.inputs: dict[int, tuple[Tensor, Tensor]] = {}
        """by storage: all memory that existed before and is used, and a copy of its bytes"""

    def capture(self, work: Callable[[], Losses]) -> Losses:
        with self:
            losses = work()
        for memory, before in self.inputs.values():
            memory.copy_(before)
        return losses

    @torch.no_grad()
    def replay(self) -> None:
        for operation in self._operations:
            results = _tensors(operation.function(*operation.args, **operation.kwargs))
            for output, result in zip(operation.outputs, results, strict=True):
                if storage_id(output) != storage_id(result):
                    output.copy_(result)

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, function.overloadpacket.__name__
        if function.namespace == "profiler":
            return function(*args, **kwargs)
        masked = name.startswith("index") and any(tensor.dtype == torch.bool for tensor in _tensors(args[1]))
        if masked or name in SYNCHRONISING | FROM_HOST or torch.Tag.nondeterministic_seeded in function.tags:
            raise RuntimeError(f"{name} cannot be captured.")
        for tensor in _tensors((args, kwargs)):
            if storage_id(tensor) not in self._created and storage_id(tensor) not in self.inputs:
                memory = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
                self.inputs[storage_id(tensor)] = memory, memory.clone()
        result = function(*args, **kwargs)
        outputs = list(_tensors(result))
        self._created |= {storage_id(tensor) for tensor in outputs} - self.inputs.keys()
        self._operations.append(_Operation(function, args, kwargs, outputs))
        return result


def storage_id(tensor: Tensor) -> int:
    """Return the identity of the tensor's memory, which all its views share."""
    return int(tensor.untyped_storage()._cdata)


def _tensors(value: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_iter(value) if isinstance(leaf, Tensor))
