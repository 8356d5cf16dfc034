"""Collective operations between the ranks of a job: each rank has all weights and computes its rows of every batch.

Random numbers are drawn for the whole batch, and each rank takes its rows. Computations over several examples use
the whole batch. So a step equals that of one process up to rounding. Without a process group there is one rank, and
the functions change nothing. Every rank must make the same calls in the same order.
"""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

COLLECTIVE_TIMEOUT = timedelta(days=1)
"""how long a rank waits for the others; the supervisor ends a silent runner much earlier"""


def join(device: str, store: str, rank: int, of: int) -> None:
    """Join the process group as rank `rank` of `of`, which find each other through the file `store`.

    `device` is cpu or cuda, one device per rank. The ranks use the loopback interface only. Returns when all have
    joined.
    """
    for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ[variable] = "lo"
    backend = "gloo"
    if device == "cuda":
        torch.cuda.set_device(rank)
        backend = "cpu:gloo,cuda:nccl"
    file_store = dist.FileStore(store, of)  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=file_store, rank=rank, world_size=of, timeout=COLLECTIVE_TIMEOUT)


def leave() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


_is_alone = False


@contextmanager
def alone() -> Iterator[None]:
    """Compute as if there were no other ranks inside the block: it makes no collective call."""
    global _is_alone
    before, _is_alone = _is_alone, True
    try:
        yield
    finally:
        _is_alone = before


def world_size() -> int:
    """Return the number of ranks; 1 without a process group and inside `alone`."""
    return dist.get_world_size() if not _is_alone and dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return this rank's number, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def rank_rows(n: int) -> slice:
    """Return this rank's rows among n rows of a whole batch. Raises ValueError if n is no multiple of the ranks."""
    if n % world_size():
        raise ValueError(f"{n} rows cannot be divided equally among {world_size()} ranks.")
    size = n // world_size()
    return slice(rank() * size, (rank() + 1) * size)


def rank_part(batch: Tensor, dim: int = 0) -> Tensor:
    """Return this rank's rows of a whole batch, as a view."""
    rows = rank_rows(batch.shape[dim])
    return batch.narrow(dim, rows.start, rows.stop - rows.start)


def all_gather(x: Tensor) -> Tensor:
    """Return the rows of every rank, in the order of the batch.

    It is differentiable twice: gradients go back to the rank that holds the rows.
    """
    return x if world_size() == 1 else _AllGather.apply(x)  # type: ignore[no-untyped-call]


def mean_over_ranks(x: Tensor) -> Tensor:
    """Return the mean over the ranks, twice differentiable. The mean of the parts' means is the mean of the batch."""
    return x if world_size() == 1 else all_gather(x.unsqueeze(0)).mean(0)


@torch.no_grad()
def all_reduce_mean(tensors: list[Tensor]) -> None:
    """Replace each tensor by its mean over the ranks, with one collective call for all."""
    if world_size() == 1:
        return
    flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= world_size()
    means = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, mean in zip(tensors, means, strict=True):
        tensor.copy_(mean.view(tensor.shape))


@torch.no_grad()
def equal_on_all_ranks(tensors: Iterable[Tensor]) -> bool:
    """Return whether the sum of each tensor is the same on every rank. It waits for the device."""
    sums = torch.stack([tensor.double().sum() for tensor in tensors]).nan_to_num()
    all_sums = all_gather(sums[None])
    return torch.equal(all_sums, sums.expand_as(all_sums))


def broadcast(value: Any) -> None:
    """Send a value from rank 0 to the others, which call `receive`.

    It may hold tensors, numbers, strings, and lists and dicts of these.
    """
    if world_size() > 1:
        buffer = io.BytesIO()
        torch.save(value, buffer)
        content = torch.frombuffer(buffer.getbuffer(), dtype=torch.uint8)
        dist.broadcast(torch.tensor(len(content)), 0)
        dist.broadcast(content, 0)


def receive() -> Any:
    """Return the value that rank 0 broadcasts, with tensors on the CPU."""
    size = torch.zeros((), dtype=torch.int64)
    dist.broadcast(size, 0)
    content = torch.empty(int(size), dtype=torch.uint8)
    dist.broadcast(content, 0)
    return torch.load(io.BytesIO(content.numpy().tobytes()), map_location="cpu", weights_only=True)


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _ReduceScatter.apply(gradient)  # type: ignore[no-untyped-call,no-any-return]


class _ReduceScatter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return rank_part(total).clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _AllGather.apply(gradient)  # type: ignore[no-untyped-call,no-any-return]
