"""Read this machine's memory and GPUs, and set which processes the kernel kills first when memory runs out."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

OOM_SCORE_ADJ = 800
"""oom_score_adj of runners and decoders: the kernel kills them before API, worker and databases"""
_CGROUPS = Path("/sys/fs/cgroup")


def memory_bytes() -> int:
    """Return the bytes that this process may use: the machine's memory, or less if its control group has a limit."""
    # A client may run on a machine that cannot serve, such as Windows.
    if not hasattr(os, "sysconf"):
        return sys.maxsize
    return min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_cgroup_limits())


def gpu_count() -> int:
    """Return the number of GPUs that the NVIDIA driver lists. Needs no torch, which an API may not have."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def prefer_as_oom_victim() -> None:
    """Let the kernel kill this process and its children before others when memory runs out."""
    if sys.platform == "linux":
        # A container may have a read-only /proc: then the kernel chooses by size alone.
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE_ADJ))


def _cgroup_limits() -> Iterator[int]:
    """Yield the memory limits, in bytes, of this process's control groups, of version 2 and of version 1."""
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, name = line.split(":", 2)
        folder, file = (_CGROUPS, "memory.max") if not controllers else (_CGROUPS / "memory", "memory.limit_in_bytes")
        if controllers and "memory" not in controllers.split(","):
            continue
        innermost = folder / name.lstrip("/")
        # Inside a container the named group may not exist: then the root group is the container's.
        for group in (innermost, *innermost.parents):
            if group.is_relative_to(folder):
                yield from (int(limit) for limit in _lines(group / file) if limit.isdecimal())


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
