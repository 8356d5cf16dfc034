"""Child processes with limits, which read bytes that strangers sent.

A child that dies, is late, computes too long or runs out of memory is replaced, and the caller is told in a sentence.
Nothing that comes back from a child is unpickled: answers are JSON, bytes or arrays of numbers.

A child is given no secret, and before it reads its first byte it gives up for good what it does not need
(`app.core.sandbox.child`): sockets, programs, processes, signals to others, writing, and every file but the code and
what its Sandbox names. Where the kernel lacks a layer of this the others hold, and `lacking` and the log say so. No
process of the service lets another of its user read its environment or memory (`app.core.sandbox.private`), unless that
is root.
"""

import contextlib
import json
import math
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from app.core.errors import FieldError, ForgerError, Invalid, NotReady, refused_file
from app.core.limits import READING_CPU_S
from app.core.logging import get_logger
from app.core.sandbox import environment, private
from app.core.sandbox.child import HEADER, TASK
from data.decode import MAX_JPEG_SCANS
from data.errors import Refused, WrongMedia

log = get_logger(__name__)
START_S = 30.0
"""seconds a child has to import what it needs"""
LARGEST_ANSWER = 512 << 20
_REFUSALS = {kind.__name__: kind for kind in (Refused, WrongMedia)}
_CHECKOUT = Path(__file__).resolve().parents[3]


class Overran(Invalid):
    """The child died, was late or ran out of memory over the work."""


class Sandbox:
    """A few warm children, each started when first needed. Safe to use from any thread.

    They can read the files and folders `readable`; `module` holds the functions that they run.
    Making one closes this process to the others of its user: they cannot read what it knows, nor trace it.
    """

    def __init__(
        self,
        children: int = 2,
        memory_bytes: int = 1 << 30,
        readable: Sequence[Path] = (),
        module: str = "data.uploads.read_untrusted",
    ) -> None:
        private.close()
        self._memory = memory_bytes
        self._started_with = (str(memory_bytes), module, *map(str, readable))
        self._own = threading.local()
        self._all: set[_Child] = set()
        # Each child belongs to one thread: the kernel ends a child together with the thread that made it.
        self._threads = ThreadPoolExecutor(children, thread_name_prefix="sandbox")

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        seconds: float = 20.0,
        cpu_seconds: float = READING_CPU_S,
        code: str = "unreadable_picture",
        pointer: str = "/file",
    ) -> Any:
        """What `function(*args)` answers in a child: a JSON value, bytes, or an array, alone or with a JSON value.

        Raises Invalid or UnsupportedMedia where it raises Refused; and Overran, with `code` and `pointer`, where it
        cannot end.
        """
        task = pickle.dumps((function, args))
        return self._threads.submit(self._run, task, (seconds, cpu_seconds), code, pointer).result()

    def lacking(self) -> list[str]:
        """Layers of the confinement that this machine's kernel does not have."""
        return self._threads.submit(lambda: self._child().lacking).result()

    def close(self) -> None:
        """Ends the children; work under way ends with Overran."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in list(self._all):
            child.end()
        self._threads.shutdown()
        for child in list(self._all):
            child.kill()

    def _run(self, task: bytes, seconds: tuple[float, float], code: str, pointer: str) -> Any:
        child = self._child()
        try:
            return child.run(task, *seconds)
        except ForgerError:
            raise
        except BaseException as error:
            self._drop(child)
            if sentence := _told(error, child, seconds, self._memory):
                raise Overran(sentence, code=code, errors=(FieldError(pointer, sentence),)) from None
            raise

    def _child(self) -> "_Child":
        """This thread's own, alive."""
        child: _Child | None = getattr(self._own, "child", None)
        if child is None or not child.alive:
            if child is not None:
                self._drop(child)
            child = self._own.child = _Child(self._started_with)
            self._all.add(child)
            child.greet()
            if child.lacking:
                log.warning("sandbox_incomplete", lacking=child.lacking)
        return child

    def _drop(self, child: "_Child") -> None:
        child.kill()
        self._all.discard(child)
        self._own.child = None


def _told(error: BaseException, child: "_Child", seconds: tuple[float, float], memory: int) -> str | None:
    match error:
        case TimeoutError():
            return f"Reading the file took longer than {seconds[0]:g} s. Send a smaller or simpler one."
        case EOFError() | BrokenPipeError() if child.status == -signal.SIGPROF:
            took = f"Reading the file took more than {seconds[1]:g} s of processor time (reading_cpu_seconds)."
            return f"{took} Send a smaller or simpler one."
        case MemoryError():
            return f"Reading the file took more than {memory >> 20} MiB of memory. Send a smaller or simpler one."
        case EOFError() | BrokenPipeError():
            return "The process that read the file broke over it. It may be damaged: save it anew and send that."
    return None


class _Child:
    """One child process: a task goes into its stdin, an answer comes out of its stdout."""

    def __init__(self, started_with: Sequence[str]) -> None:
        self.lacking: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "app.core.sandbox.child", *started_with],
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
        return self.status is None

    @property
    def status(self) -> int | None:
        """As subprocess tells it, once it has ended."""
        return self._process.poll()

    def greet(self) -> None:
        """Waits until it is ready for work."""
        try:
            self.lacking = self._answer(time.monotonic() + START_S)
        except (EOFError, TimeoutError) as error:
            self.kill()
            sentence = "The process that reads files did not start in time; the log may say why. Send this again later."
            raise NotReady(sentence, code="reader_away", headers={"Retry-After": "10"}) from error

    def run(self, task: bytes, seconds: float, cpu_seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        # The kernel ends the child a little later even if nobody is left to do so.
        self._write(TASK.pack(len(task), seconds + 2, cpu_seconds), deadline)
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
            case {"refused": str(name), "detail": str(detail), "code": str(code), "pointer": str(pointer)}:
                raise refused_file(_REFUSALS[name](detail, code, pointer))
            case {"broken": str(words)}:
                raise RuntimeError(f"Work in a sandbox child failed: {words}")
            case {"bytes": int(size)}:
                return bytes(self._read(size, deadline))
            case {"array": list(shape)}:
                pixels = np.frombuffer(self._read(math.prod(shape), deadline), np.uint8).reshape(shape)
                return (pixels, said["told"]) if "told" in said else pixels
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


def _environment() -> dict[str, str]:
    """No key and no address of a database for a process that reads what strangers send."""
    bounds = {
        "LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER": str(MAX_JPEG_SCANS)
    }  # libtiff itself decodes the JPEGs inside a TIFF
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    path = environment.python_path(_CHECKOUT)
    return environment.only(environment.READER, PYTHONPATH=path, **threads, **bounds)
