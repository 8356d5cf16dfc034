"""Read untrusted bytes in child processes with limits.

A child that dies, is late, computes too long or runs out of memory is replaced, and the caller gets an error with a
sentence. Nothing from a child is unpickled: answers are JSON, bytes or arrays of numbers.

A child has no secret. Before it reads its first byte it drops for good all rights that it does not need
(`app.core.sandbox.child`): sockets, programs, processes, signals to others, writing, and every file except the code and
the paths of its Sandbox. If the kernel does not support a layer, the others still hold, and `missing_layers` and the
log name it. No process of the service lets another process of its user, except root, read its environment or memory
(`app.core.sandbox.private`).
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

from app.core.errors import FieldError, ForgerError, Invalid, NotReady, file_refusal
from app.core.limits import PICTURE_CPU_S
from app.core.logging import get_logger
from app.core.sandbox import environment, private
from app.core.sandbox.child import ANSWER_HEADER, TASK_HEADER
from data.decode import MAX_JPEG_SCANS
from data.errors import Refused, WrongMedia
from data.levels import DTYPES

log = get_logger(__name__)
START_TIMEOUT_S = 30.0
"""seconds that a child has to import its modules"""
MAX_ANSWER_BYTES = 512 << 20
_REFUSALS = {kind.__name__: kind for kind in (Refused, WrongMedia)}
_CHECKOUT = Path(__file__).resolve().parents[3]


class Overran(Invalid):
    """The child died, was late or ran out of memory during the work."""


class Sandbox:
    """A few warm child processes, each started when first needed. Any thread may use it.

    They can read the files and folders `readable`; `module` defines the functions that they run. The constructor also
    forbids other processes of the user to read this process's memory or to trace it.
    """

    def __init__(
        self,
        children: int = 2,
        memory_bytes: int = 1 << 30,
        readable: Sequence[Path] = (),
        module: str = "data.uploads.read_untrusted",
    ) -> None:
        private.forbid_inspection()
        self._memory = memory_bytes
        self._child_arguments = (str(memory_bytes), module, *map(str, readable))
        self._thread_local = threading.local()
        self._all: set[_Child] = set()
        # Each child belongs to one thread: the kernel kills a child together with the thread that started it.
        self._threads = ThreadPoolExecutor(children, thread_name_prefix="sandbox")

    def run(
        self,
        function: Callable[..., Any] | str,
        *args: Any,
        seconds: float = 20.0,
        cpu_seconds: float = PICTURE_CPU_S,
        code: str = "unreadable_picture",
        pointer: str = "/file",
    ) -> Any:
        """Return `function(*args)` of a child: a JSON value, bytes, an array, or an array with a JSON value.

        A function that this process cannot import, because it needs torch, is given by its name in the module.

        Raises Invalid or UnsupportedMedia if the function raises Refused; Overran, with `code` and `pointer`, if it
        does not end within its limits.
        """
        task = pickle.dumps((function, args))
        return self._threads.submit(self._run, task, (seconds, cpu_seconds), code, pointer).result()

    def missing_layers(self) -> list[str]:
        """Return the layers of the confinement that this machine's kernel does not support."""
        return self._threads.submit(lambda: self._child().missing_layers).result()

    def close(self) -> None:
        """End the children; running work ends with Overran."""
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
            if sentence := _overrun_sentence(error, child, seconds, self._memory):
                raise Overran(sentence, code=code, errors=(FieldError(pointer, sentence),)) from None
            raise

    def _child(self) -> "_Child":
        """Return this thread's child; start one if there is none alive."""
        child: _Child | None = getattr(self._thread_local, "child", None)
        if child is None or not child.alive:
            if child is not None:
                self._drop(child)
            child = self._thread_local.child = _Child(self._child_arguments)
            self._all.add(child)
            child.await_ready()
            if child.missing_layers:
                log.warning("sandbox_incomplete", lacking=child.missing_layers)
        return child

    def _drop(self, child: "_Child") -> None:
        child.kill()
        self._all.discard(child)
        self._thread_local.child = None


def _overrun_sentence(error: BaseException, child: "_Child", seconds: tuple[float, float], memory: int) -> str | None:
    match error:
        case TimeoutError():
            return f"Reading the file took longer than {seconds[0]:g} s. Send a smaller or simpler one."
        case EOFError() | BrokenPipeError() if child.status == -signal.SIGPROF:
            took = f"Reading the file took more than {seconds[1]:g} s of processor time (reading_cpu_seconds)."
            return f"{took} Send a smaller or simpler one."
        case MemoryError():
            return f"Reading the file took more than {memory >> 20} MiB of memory. Send a smaller or simpler one."
        case EOFError() | BrokenPipeError():
            return "The process that read the file crashed. The file may be damaged: save it again and send that."
    return None


class _Child:
    """One child process: tasks go to its stdin, answers come from its stdout."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.missing_layers: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "app.core.sandbox.child", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_CHECKOUT,
            env=_environment(),
            # Ctrl-C reaches only the service, which ends its children itself.
            start_new_session=True,
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
        """Return the exit status as subprocess does; None while the child runs."""
        return self._process.poll()

    def await_ready(self) -> None:
        """Wait until the child is ready for work. Raises NotReady if it does not start in time."""
        try:
            self.missing_layers = self._answer(time.monotonic() + START_TIMEOUT_S)
        except (EOFError, TimeoutError) as error:
            self.kill()
            sentence = "The process that reads files did not start in time; the log may say why. Send this again later."
            raise NotReady(sentence, code="reader_away", headers={"Retry-After": "10"}) from error

    def run(self, task: bytes, seconds: float, cpu_seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        # The kernel kills the child a little later even if this process has died.
        self._write(TASK_HEADER.pack(len(task), seconds + 2, cpu_seconds), deadline)
        self._write(task, deadline)
        return self._answer(deadline)

    def end(self) -> None:
        """Kill the child, from any thread: the thread that reads its answers then sees their end."""
        self._process.kill()

    def kill(self) -> None:
        """Kill the child and close its pipes: on its own thread, or after that has ended."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, AttributeError):
                pipe.close()  # type: ignore[union-attr]

    def _answer(self, deadline: float) -> Any:
        (length,) = ANSWER_HEADER.unpack(self._read(ANSWER_HEADER.size, deadline))
        header = json.loads(self._read(length, deadline))
        match header:
            case {"error": "MemoryError"}:
                raise MemoryError
            case {"refused": str(name), "detail": str(detail), "code": str(code), "pointer": str(pointer)}:
                raise file_refusal(_REFUSALS[name](detail, code, pointer))
            case {"broken": str(message)}:
                raise RuntimeError(f"Work in a sandbox child failed: {message}")
            case {"bytes": int(size)}:
                return bytes(self._read(size, deadline))
            case {"array": list(shape), "bits": 8 | 16 as bits}:
                payload = self._read(math.prod(shape) * bits // 8, deadline)
                pixels = np.frombuffer(payload, DTYPES[bits]).reshape(shape)
                return (pixels, header["value"]) if "value" in header else pixels
        return header["value"]

    def _read(self, count: int, deadline: float) -> bytearray:
        if count > MAX_ANSWER_BYTES:
            raise EOFError
        buffer = bytearray(count)
        remaining = memoryview(buffer)
        while remaining:
            _wait(self._out, select.POLLIN, deadline)
            count_read = os.readv(self._out, [remaining])
            if not count_read:
                raise EOFError
            remaining = remaining[count_read:]
        return buffer

    def _write(self, data: bytes, deadline: float) -> None:
        remaining = memoryview(data)
        while remaining:
            _wait(self._in, select.POLLOUT, deadline)
            remaining = remaining[os.write(self._in, remaining) :]


def _wait(fd: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(fd, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _environment() -> dict[str, str]:
    """Return the child's variables: no key and no database address for a process that reads untrusted bytes."""
    # libtiff itself decodes the JPEGs inside a TIFF.
    bounds = {"LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER": str(MAX_JPEG_SCANS)}
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    path = environment.python_path(_CHECKOUT)
    return environment.select(environment.READER, PYTHONPATH=path, **threads, **bounds)
