"""The child of a sandbox: `python -m app.core.sandboxed MEMORY`. Runs one task after the other until its stdin ends."""

import ctypes
import json
import os
import pickle
import resource
import signal
import sys
from typing import Any, BinaryIO

import numpy as np

from app.core import untrusted  # noqa: F401 - imported here, so that the first task need not wait for it
from app.core.errors import ForgerError
from app.core.sandbox import HEADER

_PR_SET_PDEATHSIG = 1


def main(memory_bytes: int) -> None:
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    _send(answers, {"value": "ready"})
    while head := sys.stdin.buffer.read(2 * HEADER.size):
        (size,), (seconds,) = HEADER.unpack(head[:4]), HEADER.unpack(head[4:])
        signal.alarm(seconds)
        if not _perform(sys.stdin.buffer.read(size), answers):
            return
        signal.alarm(0)


def _perform(task: bytes, answers: BinaryIO) -> bool:
    """False when this process should not go on."""
    try:
        function, args = pickle.loads(task)  # the parent's own words
        del task
        _reply(answers, function(*args))
    except ForgerError as error:
        named = [(field.pointer, field.message) for field in error.errors]
        said = {"error": type(error).__name__, "detail": error.detail, "code": error.code, "errors": named}
        _send(answers, said)
    except MemoryError:
        _send(answers, {"error": "MemoryError"})
        return False
    except Exception as error:  # a mistake of ours: the parent tells its log
        _send(answers, {"broken": f"{type(error).__name__}: {error}"})
    return True


def _reply(answers: BinaryIO, value: Any) -> None:
    if isinstance(value, np.ndarray):
        assert value.dtype == np.uint8
        _send(answers, {"array": value.shape}, np.ascontiguousarray(value).data.cast("B"))
    elif isinstance(value, bytes):
        _send(answers, {"bytes": len(value)}, value)
    else:
        _send(answers, {"value": value})


def _send(answers: BinaryIO, said: dict[str, Any], payload: bytes | memoryview = b"") -> None:
    header = json.dumps(said).encode()
    answers.write(HEADER.pack(len(header)) + header)
    answers.write(payload)
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
