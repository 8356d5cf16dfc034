"""Whether memory ran out."""


def no_memory(error: Exception) -> bool:
    """Of the machine or of its accelerator."""
    import torch

    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)
