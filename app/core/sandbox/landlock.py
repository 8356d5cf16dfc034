"""Limit a process for good to reading a few files and folders (Landlock, Linux 5.13 or newer).

Newer kernels also forbid it TCP, signals to other processes, and abstract sockets.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""numbers of system calls, the same on every architecture"""
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""number of file rights, each a bit, from a version of Landlock on"""
_TCP = 0b11
"""rights to bind and to connect, from version 4 on"""
_SCOPES = 0b11
"""abstract sockets and signals, from version 6 on"""


def version() -> int:
    """Return the version of the kernel's Landlock; 0 if it has none."""
    return max(0, _call(_CREATE_RULESET, None, 0, _VERSION_FLAG)) if sys.platform == "linux" else 0


def confine(readable: Iterable[Path]) -> bool:
    """Limit this single-threaded process to its open files and to reading below these paths; return whether it worked.

    Paths that do not exist are skipped. The process must have set no-new-privileges before.
    """
    abi = version()
    ruleset = _ruleset(abi) if abi else -1
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow(ruleset, path)
        return _call(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _ruleset(abi: int) -> int:
    """Return the descriptor of a rule set that forbids all that version `abi` can forbid; below 0 on failure."""
    rights = max(count for since, count in _FILE_RIGHTS.items() if since <= abi)
    fields = [(1 << rights) - 1]
    if abi >= 4:
        fields.append(_TCP)
    if abi >= 6:
        fields.append(_SCOPES)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return _call(_CREATE_RULESET, attributes, len(attributes), 0)


def _allow(ruleset: int, path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        rights = _READ_FILE | _READ_FOLDER if path.is_dir() else _READ_FILE
        if _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0) != 0:
            raise OSError(ctypes.get_errno(), "Landlock accepts no rule", str(path))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    converted = [ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value) for value in arguments]
    return int(libc.syscall(ctypes.c_long(number), *converted))
