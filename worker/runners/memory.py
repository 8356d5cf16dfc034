"""Limit a runner's memory, and recognise that it ran out."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from app.core import machine
from app.core.settings import get_settings
from app.services import recipes
from app.services.datasets import catalog
from app.services.views import JobView
from forger.wire import TRANSLATE
from models.errors import JobFailure

ESTIMATE_FACTOR = 2
"""times the estimate that a training may take"""
RESERVED_BYTES = 1 << 30
"""bytes of addresses that are counted and not used: stacks of threads, what the allocator keeps in advance"""
OUT_OF_MEMORY_MESSAGES = ("DefaultCPUAllocator", "std::bad_alloc", "could not create a memory")
"""of torch's allocator, of C++ and of oneDNN, in the words of their errors"""


class OutOfMemory(JobFailure):
    """The message says what to change."""

    code = "out_of_memory"


def limit_memory(job: JobView) -> None:
    """Let this process, and each that it starts, take no more than twice its estimate, nor than max_memory_bytes.

    An allocation beyond fails with an error that `no_memory` knows. Where a GPU computes nothing is bounded here: its
    driver maps far more than it uses, and the job's tensors lie in memory of its own.
    """
    settings = get_settings()
    if sys.platform != "linux" or (settings.device != "cpu" and machine.gpus()):
        return
    most = settings.max_memory_bytes
    if job.estimate is not None:
        most = min(most, ESTIMATE_FACTOR * job.estimate.memory_bytes)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = most + RESERVED_BYTES + _mapped_bytes(job)
    resource.setrlimit(resource.RLIMIT_DATA, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _mapped_bytes(job: JobView) -> int:
    """Bytes of an upload that it reads: the kernel counts the whole mapping, though its pages can be given back."""
    if job.kind == TRANSLATE:  # it reads one picture after the other
        return 0
    data = job.recipe.data
    info = catalog.all_datasets().get(data.dataset)
    return 0 if info is None else recipes.prepared_bytes(data, info)


def lift_memory_limit() -> None:
    """Leave room for the words that tell how it ended."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


@contextmanager
def memory_advice(advice: str) -> Iterator[None]:
    """Raise OutOfMemory with `advice` where the block runs out of memory."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(f"Memory ran out: {advice}.") from error


def is_out_of_memory(error: Exception) -> bool:
    """Of the machine or of its accelerator."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in OUT_OF_MEMORY_MESSAGES)
