"""Keep a process, its environment and its files from other users, and from children that read what strangers send."""

import ctypes
import os
import signal
import stat
import sys
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_libc = ctypes.CDLL(None, use_errno=True)
_OTHERS = 0o077
_OWN_NAMES = frozenset((
    "artifacts", "checkpoints", "data", "database", "forger.db", "forger.db-shm", "forger.db-wal", "incoming", "logs",
    "service.json", "service.lock",
))  # fmt: skip
"""what lies in a home"""


def begin() -> None:
    """Keep what this process writes and knows its user's alone: first thing in each process of the service.

    The API has the umask of `forger serve`, and closes itself with its first sandbox.
    """
    os.umask(_OTHERS)
    close()


def close() -> None:
    """Give this process's files in /proc to root, so that no other process of its user reads its memory or environment.

    What it reads of itself by /proc/self/stat and fd stays open to it.
    """
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_DUMPABLE, 0)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when `parent` ends. Loads nothing, so it may run between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def private_folder(folder: Path) -> bool:
    """Make the folder, or take others' rights to it away where it holds nothing but a home's own files.

    False where others can still enter it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if not found.st_mode & _OTHERS:
        return True
    if found.st_uid != os.geteuid() or not _OWN_NAMES.issuperset(os.listdir(folder)):
        return False
    folder.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
    return True
