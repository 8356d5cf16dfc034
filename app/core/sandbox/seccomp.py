"""Limit a process for good to the system calls that decoding needs (Linux, seccomp filters).

The filter lists the allowed calls; all others return EPERM: sockets, programs, processes, signals to others, io_uring,
ptrace, and calls of newer kernels. Files are opened for reading only; app.core.sandbox.landlock limits which.
"""

import ctypes
import errno
import fcntl
import os
import platform
import struct
import sys
import termios
from dataclasses import dataclass

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_ERRNO = 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""offsets in the kernel's struct seccomp_data"""
_X32 = 0x40000000
"""bit of the numbers of x86-64's second table, which is forbidden"""
_CLONE_THREAD = 0x10000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CONTROLS = (fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_DUPFD, getattr(fcntl, "F_DUPFD_CLOEXEC", 1030))
"""allowed fcntl commands; not F_SETOWN, which sends signals to others"""

Number = int | None
"""number of a system call; None if an architecture has no such call"""
Instructions = list[bytes]


@dataclass(frozen=True)
class _Table:
    """The numbers of system calls on one architecture; `audit` is the kernel's id of the architecture."""

    audit: int
    column: int

    def number(self, name: str) -> Number:
        return _NUMBERS[name][self.column]


_TABLES = {"x86_64": _Table(0xC000003E, 0), "aarch64": _Table(0xC00000B7, 1)}
_PLAIN: dict[str, tuple[Number, Number]] = {
    # open files, and lookup of files
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67), "lseek": (8, 62),
    "close": (3, 57), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "poll": (7, None), "ppoll": (271, 73),
    "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getdents64": (217, 61), "getcwd": (79, 17),
    # memory
    "brk": (12, 214), "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226),
    "madvise": (28, 233),
    # its threads, its signals, its exit
    "futex": (202, 98), "set_robust_list": (273, 99), "set_tid_address": (218, 96), "rseq": (334, 293),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "restart_syscall": (219, 128),
    "exit": (60, 93), "exit_group": (231, 94),
    # time and random numbers
    "alarm": (37, None), "setitimer": (38, 103), "nanosleep": (35, 101), "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, None),
    "times": (100, 153), "getrandom": (318, 278),
    # its identity
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getrusage": (98, 165), "sysinfo": (99, 179), "uname": (63, 160),
}  # fmt: skip
_NUMBERS: dict[str, tuple[Number, Number]] = _PLAIN | {
    "openat": (257, 56), "openat2": (437, 437), "clone": (56, 220), "clone3": (435, 435), "fcntl": (72, 25),
    "ioctl": (16, 29), "kill": (62, 129), "tgkill": (234, 131),
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine() -> bool:
    """Forbid this single-threaded process every other system call; return whether it worked.

    The process must have set no-new-privileges before.
    """
    table = _TABLES.get(platform.machine())
    if sys.platform != "linux" or table is None:
        return False
    code = b"".join(_filter(table, os.getpid()))
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(table: _Table, pid: int) -> Instructions:
    """Return the program that the kernel runs before each system call of the process `pid`."""
    code = [
        _load(_ARCHITECTURE), _jump(_EQUAL, table.audit, 1, 0), _answer(_KILL),
        _load(_NUMBER), _jump(_AT_LEAST, _X32, 0, 1), _answer(_KILL),
    ]  # fmt: skip
    cases = {name: [_answer(_ALLOW)] for name in _PLAIN} | {
        "openat": _unless_any(2, _WRITING),
        "clone": _if_any(0, _CLONE_THREAD),
        "fcntl": _if_one_of(1, _CONTROLS),
        "ioctl": _if_one_of(1, (termios.TCGETS, termios.FIOCLEX)),
        "kill": _if_one_of(0, (pid,)),
        "tgkill": _if_one_of(0, (pid,)),
        # A filter cannot read their arguments, which lie in memory: libraries then use openat and clone.
        "openat2": [_refuse(errno.ENOSYS)],
        "clone3": [_refuse(errno.ENOSYS)],
    }
    for name, body in cases.items():
        if (number := table.number(name)) is not None:
            code += [_jump(_EQUAL, number, 0, len(body)), *body]
    return [*code, _refuse(errno.EPERM)]


def _unless_any(argument: int, bits: int) -> Instructions:
    return [_load_argument(argument), _jump(_ANY_BIT, bits, 0, 1), _refuse(errno.EPERM), _answer(_ALLOW)]


def _if_any(argument: int, bits: int) -> Instructions:
    return [_load_argument(argument), _jump(_ANY_BIT, bits, 1, 0), _refuse(errno.EPERM), _answer(_ALLOW)]


def _if_one_of(argument: int, values: tuple[int, ...]) -> Instructions:
    tests = [part for value in values for part in (_jump(_EQUAL, value, 0, 1), _answer(_ALLOW))]
    return [_load_argument(argument), *tests, _refuse(errno.EPERM)]


def _load(offset: int) -> bytes:
    return _instruction(_LOAD, 0, 0, offset)


def _load_argument(number: int) -> bytes:
    """Load the lower 32 bits of an argument: both architectures are little-endian, and no larger values are checked."""
    return _load(_ARGUMENTS + 8 * number)


def _jump(test: int, value: int, when_true: int, when_false: int) -> bytes:
    return _instruction(test, when_true, when_false, value)


def _refuse(number: int) -> bytes:
    return _answer(_ERRNO | number)


def _answer(value: int) -> bytes:
    return _instruction(_RETURN, 0, 0, value)


def _instruction(code: int, when_true: int, when_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)
