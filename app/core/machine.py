"""The machine's cores, memory and GPUs, and the order in which the kernel ends processes when memory runs out."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FIRST_TO_DIE = 800
"""oom_score_adj of runners and decoders: the kernel ends them before API, worker and databases"""
_GROUPS = Path("/sys/fs/cgroup")


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or less where its control group has a limit."""
    if not hasattr(os, "sysconf"):  # a client's machine need not be one that serves
        return sys.maxsize
    return min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_limits())


def gpus() -> int:
    """That the driver shows. Without torch, which an API may not have."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def die_first() -> None:
    """When memory runs out the kernel shall end this process, and what it starts, before others."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may have no /proc to write to: then the kernel chooses by size alone
            Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_DIE))


def _limits() -> Iterator[int]:
    """Of the control groups that hold this process, of version 2 and of version 1."""
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, name = line.split(":", 2)
        folder, file = (_GROUPS, "memory.max") if not controllers else (_GROUPS / "memory", "memory.limit_in_bytes")
        if controllers and "memory" not in controllers.split(","):
            continue
        own = folder / name.lstrip("/")
        # Inside a container the group that the kernel names may not be there: then the root is the container's.
        for group in (own, *own.parents):
            if group.is_relative_to(folder):
                yield from (int(limit) for limit in _lines(group / file) if limit.isdecimal())


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
