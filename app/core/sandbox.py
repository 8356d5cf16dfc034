"""Child processes with limits, in which bytes from strangers are read.

A child that dies, is late or runs out of memory is replaced, and the caller is told in a sentence. Nothing that comes
back from a child is unpickled: answers are JSON, bytes or arrays of numbers.

A child has the user of its parent. It is given no secret, and on Linux it can neither read the environment and memory
of a process that made a Sandbox nor trace it, unless it is root. Other processes of that user are open to it as they
are to any program: where worker and API share a host, users or containers of their own keep them apart.
"""

import contextlib
import ctypes
import json
import math
import os
import pickle
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from app.core import errors
from app.core.errors import FieldError, ForgerError, Invalid, NotReady

HEADER = struct.Struct(">I")
START_S = 30.0
"""seconds a child has to import what it needs"""
LARGEST_ANSWER = 512 << 20
_CROSSING = {kind.__name__: kind for kind in (errors.Invalid, errors.TooLarge, errors.UnsupportedMedia)}
_PR_SET_DUMPABLE = 4
_CHECKOUT = Path(__file__).resolve().parents[2]


class Overran(Invalid):
    """The child died, was late or ran out of memory over the work."""


class Sandbox:
    """A few warm children, each started when first needed. Safe to use from any thread.

    Making one closes this process to the others of its user: they cannot read what it knows, nor trace it.
    """

    def __init__(self, children: int = 2, memory_bytes: int = 1 << 30) -> None:
        _close_this_process()
        self._memory = memory_bytes
        self._own = threading.local()
        self._all: set[_Child] = set()
        # Each child belongs to one thread: the kernel ends a child together with the thread that made it.
        self._threads = ThreadPoolExecutor(children, thread_name_prefix="sandbox")

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        seconds: float = 20.0,
        code: str = "unreadable_picture",
        pointer: str = "/file",
    ) -> Any:
        """What `function(*args)` answers in a child: a JSON value, bytes or an array.

        Raises the ForgerErrors that it raises, and Overran, with `code` and `pointer`, when it cannot end.
        """
        task = pickle.dumps((function, args))
        return self._threads.submit(self._run, task, seconds, code, pointer).result()

    def close(self) -> None:
        """Ends the children; work under way ends with Overran."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in list(self._all):
            child.end()
        self._threads.shutdown()
        for child in list(self._all):
            child.kill()

    def _run(self, task: bytes, seconds: float, code: str, pointer: str) -> Any:
        child = self._child()
        try:
            return child.run(task, seconds)
        except ForgerError:
            raise
        except BaseException as error:
            self._drop(child)
            if sentence := _told(error, seconds, self._memory):
                raise Overran(sentence, code=code, errors=(FieldError(pointer, sentence),)) from None
            raise

    def _child(self) -> "_Child":
        """This thread's own, alive."""
        child: _Child | None = getattr(self._own, "child", None)
        if child is None or not child.alive:
            if child is not None:
                self._drop(child)
            child = self._own.child = _Child(self._memory)
            self._all.add(child)
            child.greet()
        return child

    def _drop(self, child: "_Child") -> None:
        child.kill()
        self._all.discard(child)
        self._own.child = None


def _told(error: BaseException, seconds: float, memory: int) -> str | None:
    match error:
        case TimeoutError():
            return f"Reading the file took longer than {seconds:g} s. Send a smaller or simpler one."
        case MemoryError():
            return f"Reading the file took more than {memory >> 20} MiB of memory. Send a smaller or simpler one."
        case EOFError() | BrokenPipeError():
            return "The process that read the file broke over it. It may be damaged: save it anew and send that."
    return None


class _Child:
    """One child process: a task goes into its stdin, an answer comes out of its stdout."""

    def __init__(self, memory_bytes: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "app.core.sandboxed", str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_CHECKOUT,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the service, which ends its children itself
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def greet(self) -> None:
        """Waits until it is ready for work."""
        try:
            self._answer(time.monotonic() + START_S)
        except (EOFError, TimeoutError) as error:
            self.kill()
            sentence = "The process that reads files did not start in time; the log may say why. Send this again later."
            raise NotReady(sentence, code="reader_away", headers={"Retry-After": "10"}) from error

    def run(self, task: bytes, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        # The kernel ends the child a little later even if nobody is left to do so.
        self._write(HEADER.pack(len(task)) + HEADER.pack(math.ceil(seconds) + 2), deadline)
        self._write(task, deadline)
        return self._answer(deadline)

    def end(self) -> None:
        """From any thread: the one that reads its answers then sees their end."""
        self._process.kill()

    def kill(self) -> None:
        """Ends it and closes its pipes: on its own thread, or when that is gone."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, AttributeError):
                pipe.close()  # type: ignore[union-attr]

    def _answer(self, deadline: float) -> Any:
        (length,) = HEADER.unpack(self._read(HEADER.size, deadline))
        said = json.loads(self._read(length, deadline))
        match said:
            case {"error": "MemoryError"}:
                raise MemoryError
            case {"error": str(name), "detail": str(detail), "code": str(code), "errors": list(named)}:
                fields = tuple(FieldError(str(pointer), str(message)) for pointer, message in named)
                raise _CROSSING[name](detail, code=code, errors=fields)
            case {"broken": str(words)}:
                raise RuntimeError(f"Work in a sandbox child failed: {words}")
            case {"bytes": int(size)}:
                return bytes(self._read(size, deadline))
            case {"array": list(shape)}:
                pixels = self._read(math.prod(shape), deadline)
                return np.frombuffer(pixels, np.uint8).reshape(shape)
        return said["value"]

    def _read(self, count: int, deadline: float) -> bytearray:
        if count > LARGEST_ANSWER:
            raise EOFError
        buffer = bytearray(count)
        left = memoryview(buffer)
        while left:
            _wait(self._out, select.POLLIN, deadline)
            got = os.readv(self._out, [left])
            if not got:
                raise EOFError
            left = left[got:]
        return buffer

    def _write(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            _wait(self._in, select.POLLOUT, deadline)
            left = left[os.write(self._in, left) :]


def _wait(fd: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(fd, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _close_this_process() -> None:
    """Its files in /proc become root's. What it reads of itself by /proc/self/stat and fd stays open to it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def _environment() -> dict[str, str]:
    """No key and no address of a database for a process that reads what strangers send."""
    path = os.pathsep.join(filter(None, (str(_CHECKOUT), os.environ.get("PYTHONPATH"))))
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
