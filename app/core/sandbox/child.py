"""The child process of a sandbox: run one task after the other until stdin ends.

`python -m app.core.sandbox.child MEMORY MODULE PATH...`: MODULE holds the functions of its tasks, PATHs may be read.
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
from typing import Any, BinaryIO

import numpy as np

from app.core import machine
from app.core.sandbox import landlock, private, seccomp
from data.errors import Refused

HEADER = struct.Struct(">I")
TASK = struct.Struct(">Idd")
"""before a task: its bytes, and its seconds by the clock and of processor time"""
_PR_SET_NO_NEW_PRIVS = 38
_CHECKOUT = Path(__file__).resolve().parents[3]
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
"""where code is loaded from that an import brings along late"""


def main(memory_bytes: int, module: str, readable: Sequence[Path]) -> None:
    private.die_with(os.getppid())
    machine.die_first()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    importlib.import_module(module)  # before the first task, and before the files close
    _send(answers, {"value": list(_confined(readable))})
    while head := sys.stdin.buffer.read(TASK.size):
        size, seconds, cpu_seconds = TASK.unpack(head)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        if not _perform(sys.stdin.buffer.read(size), answers):
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _confined(readable: Sequence[Path]) -> Iterator[str]:
    """Give up for good what no task needs; the layers that the kernel lacks, by name."""
    if sys.platform != "linux" or ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        yield "no-new-privileges"
    if not landlock.confine([*_code(), *readable]):
        yield "landlock"
    if not seccomp.confine():  # last: it closes the calls that the others need
        yield "seccomp"


def _code() -> list[Path]:
    """Where Python, its packages and ours lie. Not the checkout: a home may lie in it."""
    python = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return [*(_CHECKOUT / room for room in ("app", "data", "models")), *map(Path, python), *map(Path, _LIBRARIES)]


def _perform(task: bytes, answers: BinaryIO) -> bool:
    """False when this process should not go on."""
    try:
        function, args = pickle.loads(task)  # the parent's own words
        del task
        _reply(answers, function(*args))
    except Refused as error:
        said = {"refused": type(error).__name__, "detail": error.detail, "code": error.code, "pointer": error.pointer}
        _send(answers, said)
    except MemoryError:
        _send(answers, {"error": "MemoryError"})
        return False
    except Exception as error:  # a mistake of ours: the parent tells its log
        _send(answers, {"broken": f"{type(error).__name__}: {error}"})
    return True


def _reply(answers: BinaryIO, value: Any) -> None:
    """An array alone, or beside what is said of it; bytes; or a JSON value."""
    if isinstance(value, tuple) and isinstance(value[0], np.ndarray):
        _send_array(answers, value[0], {"told": value[1]})
    elif isinstance(value, np.ndarray):
        _send_array(answers, value, {})
    elif isinstance(value, bytes):
        _send(answers, {"bytes": len(value)}, value)
    else:
        _send(answers, {"value": value})


def _send_array(answers: BinaryIO, array: "np.ndarray[Any, Any]", told: dict[str, Any]) -> None:
    assert array.dtype == np.uint8
    _send(answers, {"array": array.shape, **told}, np.ascontiguousarray(array).data.cast("B"))


def _send(answers: BinaryIO, said: dict[str, Any], payload: bytes | memoryview = b"") -> None:
    header = json.dumps(said).encode()
    answers.write(HEADER.pack(len(header)) + header)
    answers.write(payload)
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], [Path(name) for name in sys.argv[3:]])
