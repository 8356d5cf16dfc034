"""Whether memory ran out."""


class OutOfMemory(Exception):
    """The message says what to change."""


def no_memory(error: Exception) -> bool:
    """Of the machine or of its accelerator."""
    import torch

    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)
