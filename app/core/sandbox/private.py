"""Protect a process, its environment and its files from other users, and from children that read untrusted bytes."""

import ctypes
import os
import signal
import stat
import sys
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_libc = ctypes.CDLL(None, use_errno=True)
_OTHERS_RIGHTS = 0o077
_HOME_NAMES = frozenset((
    "artifacts", "checkpoints", "data", "database", "forger.db", "forger.db-shm", "forger.db-wal", "incoming", "logs",
    "service.json", "service.lock",
))  # fmt: skip
"""names of the entries of a home"""


def harden_process() -> None:
    """Keep this process's files and memory private. Each process of the service calls it first.

    The API inherits the umask of `forger serve`, and forbids inspection when it creates its first sandbox.
    """
    os.umask(_OTHERS_RIGHTS)
    forbid_inspection()


def forbid_inspection() -> None:
    """Give this process's files in /proc to root, so that other processes of its user cannot read its memory.

    It can still read its own /proc/self/stat and /proc/self/fd.
    """
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when `parent` ends. It imports nothing, so it may run between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the call.
    if os.getppid() != parent:
        os._exit(1)


def private_folder(folder: Path) -> bool:
    """Create the folder, or remove other users' rights to it if it contains only entries of a home.

    Return False if others can still enter it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if not status.st_mode & _OTHERS_RIGHTS:
        return True
    if status.st_uid != os.geteuid() or not _HOME_NAMES.issuperset(os.listdir(folder)):
        return False
    folder.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS_RIGHTS)
    return True
