"""Collective operations between the ranks of a job: each holds all weights and computes a part of every batch.

Whoever draws, draws for the whole batch and takes its part; whatever looks at more than one example looks at the
whole. So a step is that of one process but for the rounding. Without a group there is one rank, and all of this is
nothing. Every rank must come by every call, in the same order.
"""

import io
import os
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(days=1)
"""how long a rank waits for the others: the supervisor ends what is silent long before"""


def join(device: str, store: str, rank: int, of: int) -> None:
    """Become rank `rank` of so many, which meet in the file `store`; `device` is cpu or cuda, one device a rank.

    They speak over loopback alone. Returns once all are there.
    """
    for way in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ[way] = "lo"
    backend = "gloo"
    if device == "cuda":
        torch.cuda.set_device(rank)
        backend = "cpu:gloo,cuda:nccl"
    met = dist.FileStore(store, of)  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=met, rank=rank, world_size=of, timeout=PATIENCE)


def leave() -> None:
    """Be one process again."""
    if dist.is_initialized():
        dist.destroy_process_group()


def count() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if count() > 1 else 0


def rows(n: int) -> slice:
    """Those of this rank among n rows of a whole batch. Raises ValueError where they cannot be shared out equally."""
    if n % count():
        raise ValueError(f"{n} rows cannot be shared out equally among {count()} ranks.")
    own = n // count()
    return slice(rank() * own, (rank() + 1) * own)


def part(whole: Tensor, dim: int = 0) -> Tensor:
    """This rank's rows of it."""
    own = rows(whole.shape[dim])
    return whole.narrow(dim, own.start, own.stop - own.start)


def whole(x: Tensor) -> Tensor:
    """The rows of every rank, in the order of the batch. Slopes come back to whose rows they are of, and pass twice."""
    return x if count() == 1 else _Whole.apply(x)  # type: ignore[no-untyped-call]


def mean(x: Tensor) -> Tensor:
    """What it is on average over the ranks: for means over a part, the mean over the batch. Slopes pass as above."""
    return x if count() == 1 else whole(x.unsqueeze(0)).mean(0)


@torch.no_grad()
def all_reduce_mean(tensors: list[Tensor]) -> None:
    """Put the mean over the ranks into each, with one exchange for all."""
    if count() == 1:
        return
    flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= count()
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, own in zip(tensors, parts, strict=True):
        tensor.copy_(own.view(tensor.shape))


@torch.no_grad()
def alike(tensors: Iterable[Tensor]) -> bool:
    """Whether they are the same on every rank, as far as their sums tell. Synchronises with the device."""
    own = torch.stack([tensor.double().sum() for tensor in tensors]).nan_to_num()
    every = whole(own[None])
    return torch.equal(every, own.expand_as(every))


def tell(value: Any) -> None:
    """To the other ranks, who `hear` it: tensors, numbers, strings, and lists and dicts of these."""
    if count() > 1:
        buffer = io.BytesIO()
        torch.save(value, buffer)
        content = torch.frombuffer(buffer.getbuffer(), dtype=torch.uint8)
        dist.broadcast(torch.tensor(len(content)), 0)
        dist.broadcast(content, 0)


def hear() -> Any:
    """What rank 0 tells, on the CPU."""
    size = torch.zeros((), dtype=torch.int64)
    dist.broadcast(size, 0)
    content = torch.empty(int(size), dtype=torch.uint8)
    dist.broadcast(content, 0)
    return torch.load(io.BytesIO(content.numpy().tobytes()), map_location="cpu", weights_only=True)


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(count())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        return _PartOfSum.apply(slope)  # type: ignore[no-untyped-call,no-any-return]


class _PartOfSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return part(total).clone()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        return _Whole.apply(slope)  # type: ignore[no-untyped-call,no-any-return]
