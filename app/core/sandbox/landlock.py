"""Limit a process for good to a few files and folders, for reading (Linux 5.13 or newer, Landlock).

Newer kernels also take TCP, signals to processes outside and abstract sockets away from it.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""numbers of system calls, the same on every architecture"""
_ASK_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""how many rights over files a version knows, each a bit"""
_TCP = 0b11
"""to bind and to connect: from version 4"""
_SCOPES = 0b11
"""abstract sockets and signals: from version 6"""


def version() -> int:
    """Of the kernel's Landlock; 0 where it has none."""
    return max(0, _call(_CREATE_RULESET, None, 0, _ASK_VERSION)) if sys.platform == "linux" else 0


def confine(readable: Iterable[Path]) -> bool:
    """Leave this process, which has no second thread yet, nothing but what it has open and reading below these paths.

    A path that is not there is left out. False where the kernel cannot do it. It needs no-new-privileges set before.
    """
    known = version()
    ruleset = _ruleset(known) if known else -1
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow(ruleset, path)
        return _call(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _ruleset(known: int) -> int:
    """A descriptor of an empty set of rules: all that this version can forbid is forbidden; below 0 on failure."""
    rights = max(count for since, count in _FILE_RIGHTS.items() if since <= known)
    fields = [(1 << rights) - 1]
    if known >= 4:
        fields.append(_TCP)
    if known >= 6:
        fields.append(_SCOPES)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return _call(_CREATE_RULESET, attributes, len(attributes), 0)


def _allow(ruleset: int, path: Path) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        rights = _READ_FILE | _READ_FOLDER if path.is_dir() else _READ_FILE
        if _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0) != 0:
            raise OSError(ctypes.get_errno(), "Landlock takes no rule", str(path))
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    passed = [ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value) for value in arguments]
    return int(libc.syscall(ctypes.c_long(number), *passed))
