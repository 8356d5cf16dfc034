"""Name the process that runs a job, so that others on the same machine can detect its end."""

import os
import socket
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_PROC = Path("/proc")
_START_TIME_FIELD = 19
"""position of the start time among the fields of /proc/PID/stat that follow the command's name"""


def this_process() -> str:
    """Return the name of this process: host, machine, process id and start time."""
    pid = os.getpid()
    return "/".join((socket.gethostname(), _machine(), str(pid), _start_time(pid)))


def has_ended(owner: str) -> bool:
    """Return whether that process has certainly ended; False for one on another machine or in another container."""
    try:
        _, machine, pid, started = owner.rsplit("/", 3)
        if not machine or machine != _machine():
            return False
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    # The name has another form, or the process belongs to another user.
    except (ValueError, OverflowError, PermissionError):
        return False
    return _start_time(int(pid)) not in (started, "")


@lru_cache
def _machine() -> str:
    """Return an id of this boot and this namespace of process ids; "" if the system does not provide one."""
    with suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{(_PROC / 'self/ns/pid').stat().st_ino}"
    return ""


def _start_time(pid: int) -> str:
    """Return a process's start time, in ticks since the boot; "ended" if it has ended or is a zombie; "" if unknown."""
    try:
        state, *words = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "ended"
    except OSError:
        return ""
    return "ended" if state in "ZX" else words[_START_TIME_FIELD - 1]
