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
"""multiple of its memory estimate that a job may use"""
RESERVED_BYTES = 1 << 30
"""address space that the limit counts though it is not used: thread stacks and what the allocator reserves"""
OUT_OF_MEMORY_MESSAGES = ("DefaultCPUAllocator", "std::bad_alloc", "could not create a memory")
"""parts of the messages of torch's allocator, of C++ and of oneDNN when memory runs out"""


class OutOfMemory(JobFailure):
    """The job ran out of memory. The message says what to change."""

    code = "out_of_memory"


def limit_memory(job: JobView) -> None:
    """Limit this process and its children to twice the job's estimate, and to max_memory_bytes at most.

    An allocation beyond the limit raises an error that `is_out_of_memory` recognises. Set no limit on a GPU: its
    driver maps far more memory than it uses, and the job's tensors lie in the GPU's own memory.
    """
    settings = get_settings()
    if sys.platform != "linux" or (settings.device != "cpu" and machine.gpu_count()):
        return
    limit = settings.max_memory_bytes
    if job.estimate is not None:
        limit = min(limit, ESTIMATE_FACTOR * job.estimate.memory_bytes)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = limit + RESERVED_BYTES + _mapped_bytes(job)
    resource.setrlimit(resource.RLIMIT_DATA, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _mapped_bytes(job: JobView) -> int:
    """Return the bytes of an uploaded dataset that the job maps: the kernel counts them all, in memory or not."""
    if job.kind == TRANSLATE:  # reads one picture after the other instead
        return 0
    data = job.recipe.data
    info = catalog.all_datasets().get(data.dataset)
    return 0 if info is None else recipes.prepared_bytes(data, info)


def lift_memory_limit() -> None:
    """Lift the limit, so that there is memory to record how the job ended."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


@contextmanager
def memory_advice(advice: str) -> Iterator[None]:
    """Raise OutOfMemory with `advice` if the block runs out of memory."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(f"Memory ran out: {advice}.") from error


def is_out_of_memory(error: Exception) -> bool:
    """Return whether the error says that the machine's or the accelerator's memory ran out."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in OUT_OF_MEMORY_MESSAGES)
