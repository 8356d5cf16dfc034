"""The runner as a child process: a process group, a pipe for orders, a pipe for heartbeats."""

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.core.sandbox import environment
from app.core.settings import CHECKOUT

_BEAT = re.compile(rb"(\d+)(?: ([\d.]+))?\n")
_CHUNK_BYTES = 65536
_TAIL_BYTES = 4096
TUNING = {
    # OpenMP's threads wait awake for some microseconds, then asleep: longer starves the API's engine on the same cores,
    # not at all costs small layers a third of their time.
    "GOMP_SPINCOUNT": "3000",
    # Freed memory stays with the process: a step asks for the same again, and fresh pages are slow to come.
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""of a runner's environment; none changes a number"""


class RunnerProcess:
    """Closing the order pipe, as the death of this process does, ends the runner."""

    def __init__(self, job_id: str, fence: int, log_file: Path) -> None:
        self._log = log_file
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "worker.runners.main", job_id, str(fence)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=CHECKOUT,
                env=_environment(),
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._beats = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._beats, selectors.EVENT_READ)
        self.step = 0
        self.remaining_s: float | None = None
        self.beat_at = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float) -> int | None:
        """Takes in heartbeats for a while; the exit status once the runner has ended."""
        if not self._selector.get_map():
            return self._end(timeout_s)
        if self._selector.select(timeout_s):
            self._read()
        return self._process.poll()

    def _end(self, timeout_s: float) -> int | None:
        """Of a runner that has closed its pipe: the next job need not wait longer than for this one's end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def order(self, word: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has just ended: `wait` tells
            self._orders.write(f"{word}\n".encode())
            self._orders.flush()

    def kill(self) -> None:
        """The whole group, at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        self._selector.close()
        self._beats.close()
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()

    def describe_end(self, status: int) -> str:
        """How it ended, in words."""
        if status == -signal.SIGKILL:
            return "The runner was killed (signal 9), perhaps because memory ran out."
        if status < 0:
            return f"The runner was ended by signal {-status} ({signal.Signals(-status).name})."
        return f"The runner ended with status {status}. {self._last_log_line()}".rstrip()

    def _read(self) -> None:
        chunk = os.read(self._beats.fileno(), _CHUNK_BYTES)
        if chunk:
            step, left = _BEAT.findall(chunk)[-1]
            self.step, self.remaining_s = int(step), float(left) if left else None
            self.beat_at = time.monotonic()
        else:  # closed: the runner is about to end
            self._selector.unregister(self._beats)

    def _last_log_line(self) -> str:
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
        return next((_said(line.strip()) for line in reversed(lines) if line.strip()), "")


def _said(line: str) -> str:
    """The error or event of a log line; a library's own words as they are."""
    try:
        said = json.loads(line)
        return str(said.get("exception") or said["event"]).strip().splitlines()[-1]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return line


def _environment() -> dict[str, str]:
    """The database and the way to the files; no key of the API, no address of the broker."""
    return environment.only(environment.RUNNER, PYTHONPATH=environment.python_path(CHECKOUT)) | TUNING
