"""Which tensors a computation makes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Made = list[tuple[torch.dtype, torch.Size]]


class _Noting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: Made = []

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.made += [(leaf.dtype, leaf.shape) for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        return result


@contextmanager
def made_meanwhile() -> Iterator[Made]:
    """Type and shape of every tensor that an operation of torch gives back."""
    with _Noting() as noting:
        yield noting.made
