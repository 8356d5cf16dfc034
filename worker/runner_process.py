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
TUNING_ENVIRONMENT = {
    # OpenMP's threads spin for some microseconds before they sleep. Spinning longer starves the API's engine on the
    # same cores; not spinning at all makes small layers a third slower.
    "GOMP_SPINCOUNT": "3000",
    # Keep freed memory in the process: the next step allocates the same again, and new pages are slow.
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""environment variables of a runner that make it faster; none changes a number"""


class RunnerProcess:
    """A runner as a child process. It ends when the order pipe is closed, and so when this process dies."""

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
        """Read heartbeats for `timeout_s` at most; return the exit status once the runner has ended."""
        if not self._selector.get_map():
            return self._wait_for_end(timeout_s)
        if self._selector.select(timeout_s):
            self._read()
        return self._process.poll()

    def _wait_for_end(self, timeout_s: float) -> int | None:
        """Wait for the end of a runner that has closed its pipe, and no longer, since the next job may be queued."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def order(self, word: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has just ended: `wait` returns its status
            self._orders.write(f"{word}\n".encode())
            self._orders.flush()

    def kill(self) -> None:
        """Kill the runner's process group at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        self._selector.close()
        self._beats.close()
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()

    def describe_end(self, status: int) -> str:
        """Return a sentence that says how the runner ended."""
        if status == -signal.SIGKILL:
            return "The runner was killed (signal 9), perhaps because memory ran out."
        if status < 0:
            return f"The runner was ended by signal {-status} ({signal.Signals(-status).name})."
        return f"The runner ended with status {status}. {self._last_log_line()}".rstrip()

    def _read(self) -> None:
        chunk = os.read(self._beats.fileno(), _CHUNK_BYTES)
        if chunk:
            step, remaining = _BEAT.findall(chunk)[-1]
            self.step, self.remaining_s = int(step), float(remaining) if remaining else None
            self.beat_at = time.monotonic()
        else:  # closed: the runner is about to end
            self._selector.unregister(self._beats)

    def _last_log_line(self) -> str:
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
        return next((_error_in(line.strip()) for line in reversed(lines) if line.strip()), "")


def _error_in(line: str) -> str:
    """Return the error or the event of a JSON log line; return any other line unchanged."""
    try:
        entry = json.loads(line)
        return str(entry.get("exception") or entry["event"]).strip().splitlines()[-1]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return line


def _environment() -> dict[str, str]:
    """Return the runner's environment: the database and paths, but neither the API's keys nor the broker's address."""
    return environment.select(environment.RUNNER, PYTHONPATH=environment.python_path(CHECKOUT)) | TUNING_ENVIRONMENT
