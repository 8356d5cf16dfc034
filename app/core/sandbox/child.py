"""Run the tasks of a sandbox in its child process, one after the other, until stdin ends.

`python -m app.core.sandbox.child MEMORY MODULE PATH...`: MODULE defines the functions of the tasks, PATHs are readable.
"""

import ctypes
import importlib
import json
import os
import pickle
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from app.core import machine
from app.core.sandbox import landlock, private, seccomp
from data.errors import Refused
from data.levels import bits_of

ANSWER_HEADER = struct.Struct(">I")
TASK_HEADER = struct.Struct(">Idd")
"""header of a task: its bytes, its seconds by the clock, its seconds of processor time"""
_PR_SET_NO_NEW_PRIVS = 38
_CHECKOUT = Path(__file__).resolve().parents[3]
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
"""folders of libraries that an import may load late"""


def main(memory_bytes: int, module: str, readable: Sequence[Path]) -> None:
    private.die_with_parent(os.getppid())
    machine.prefer_as_oom_victim()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The child writes no file.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answers = os.fdopen(os.dup(1), "wb")
    # Output of libraries must not mix with the answers.
    os.dup2(2, 1)
    # Imported before the first task, and before the files become unreadable.
    tasks = importlib.import_module(module)
    _send(answers, {"value": list(_confine(readable))})
    while head := sys.stdin.buffer.read(TASK_HEADER.size):
        size, seconds, cpu_seconds = TASK_HEADER.unpack(head)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        if not _perform(sys.stdin.buffer.read(size), answers, tasks):
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _confine(readable: Sequence[Path]) -> Iterator[str]:
    """Drop for good all rights that no task needs; yield the names of the layers that the kernel does not support."""
    if sys.platform != "linux" or ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        yield "no-new-privileges"
    if not landlock.confine([*_code_paths(), *readable]):
        yield "landlock"
    # Last: it forbids the calls that the other layers need.
    if not seccomp.confine():
        yield "seccomp"


def _code_paths() -> list[Path]:
    """Return the folders of Python, its packages and our code. Not the checkout: it may contain a home."""
    python = {sysconfig.get_path(scheme) for scheme in ("stdlib", "platstdlib", "purelib", "platlib")}
    return [*(_CHECKOUT / name for name in ("app", "data", "models")), *map(Path, python), *map(Path, _LIBRARIES)]


def _perform(task: bytes, answers: BinaryIO, tasks: ModuleType) -> bool:
    """Run a task, a function or the name of one in `tasks`, and send its answer.

    Return False if this process must not continue.
    """
    try:
        # Only the parent writes to stdin, so unpickling is safe.
        function, args = pickle.loads(task)
        del task
        _reply(answers, (getattr(tasks, function) if isinstance(function, str) else function)(*args))
    except Refused as error:
        header = {"refused": type(error).__name__, "detail": error.detail, "code": error.code, "pointer": error.pointer}
        _send(answers, header)
    except MemoryError:
        _send(answers, {"error": "MemoryError"})
        return False
    # A fault of the service: the parent logs it.
    except Exception as error:
        _send(answers, {"broken": f"{type(error).__name__}: {error}"})
    return True


def _reply(answers: BinaryIO, value: Any) -> None:
    """Send a task's result: an array, an array with a JSON value, bytes, or a JSON value."""
    if isinstance(value, tuple) and isinstance(value[0], np.ndarray):
        _send_array(answers, value[0], {"value": value[1]})
    elif isinstance(value, np.ndarray):
        _send_array(answers, value, {})
    elif isinstance(value, bytes):
        _send(answers, {"bytes": len(value)}, value)
    else:
        _send(answers, {"value": value})


def _send_array(answers: BinaryIO, array: "np.ndarray[Any, Any]", extra: dict[str, Any]) -> None:
    assert array.dtype in (np.uint8, np.uint16)
    header = {"array": array.shape, "bits": bits_of(array), **extra}
    _send(answers, header, np.ascontiguousarray(array).data.cast("B"))


def _send(answers: BinaryIO, header: dict[str, Any], payload: bytes | memoryview = b"") -> None:
    encoded = json.dumps(header).encode()
    answers.write(ANSWER_HEADER.pack(len(encoded)) + encoded)
    answers.write(payload)
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], [Path(name) for name in sys.argv[3:]])
