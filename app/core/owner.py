"""The process that holds a job, named so that others on the same machine can see when it is gone."""

import os
import socket
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_PROC = Path("/proc")
_STARTED = 19
"""place of the start time among the words of /proc/PID/stat that follow the command's name"""


def here() -> str:
    """Name this process: host, machine, process id and start time."""
    pid = os.getpid()
    return "/".join((socket.gethostname(), _machine(), str(pid), _started(pid)))


def gone(owner: str) -> bool:
    """Whether that process has certainly ended: never True of one on another machine or in another container."""
    try:
        _, machine, pid, started = owner.rsplit("/", 3)
        if not machine or machine != _machine():
            return False
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (ValueError, OverflowError, PermissionError):  # another kind of name, or a process of somebody else
        return False
    return _started(int(pid)) not in (started, "")


@lru_cache
def _machine() -> str:
    """What tells this boot and this namespace of process ids from all others; "" where the system does not say."""
    with suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{(_PROC / 'self/ns/pid').stat().st_ino}"
    return ""


def _started(pid: int) -> str:
    """Start time of a process, in ticks since the boot; "ended" of one that only waits to be noticed; "" if unknown."""
    try:
        state, *words = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "ended"
    except OSError:
        return ""
    return "ended" if state in "ZX" else words[_STARTED - 1]
