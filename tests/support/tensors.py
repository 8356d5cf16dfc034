"""The tensors that a computation creates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

TensorTypes = list[tuple[torch.dtype, torch.Size]]


class _RecordingMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.created: TensorTypes = []

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.created += [(leaf.dtype, leaf.shape) for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        return result


@contextmanager
def record_tensors() -> Iterator[TensorTypes]:
    """Record the type and shape of every tensor that an operation of torch returns."""
    with _RecordingMode() as recording:
        yield recording.created
