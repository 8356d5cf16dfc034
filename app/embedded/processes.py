"""Run child processes that restart when they die and never outlive their parent."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.core.logging import get_logger
from app.core.sandbox.private import die_with_parent
from app.core.settings import CHECKOUT

log = get_logger(__name__)


_BACKOFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)


_HEALTHY_AFTER_S = 60.0


@dataclass
class Child:
    """One program of the service and the process that runs it now."""

    name: str
    command: Callable[[], Sequence[str]]
    env: Mapping[str, str]
    pass_fds: tuple[int, ...] = ()
    mute: bool = False
    """whether its output is dropped"""
    process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _failures: int = 0
    _restart_at: float = field(default=0.0)

    def start(self) -> None:
        """Start the process. Call it from the main thread: the kernel kills the child when the starting thread ends."""
        parent = os.getpid()
        self.process = subprocess.Popen(
            self.command(),
            env=self.env,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self.mute else None,
            pass_fds=self.pass_fds,
            # Ctrl-C reaches the parent alone, which stops its children in order.
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent),
        )
        self._started = time.monotonic()

    def watch(self) -> None:
        """Restart the process if it has died, after a pause that grows while it keeps dying."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._restart_at:
                self.start()
            return
        status = self.process.poll()
        if status is None:
            return
        self._failures = 0 if now - self._started > _HEALTHY_AFTER_S else self._failures + 1
        pause = _BACKOFF_S[min(self._failures, len(_BACKOFF_S)) - 1] if self._failures else 0.0
        log.warning("child_died", child=self.name, status=status, restart_in_s=pause)
        self.process, self._restart_at = None, now + pause

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait for the end of the process; kill it at the deadline."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("child_killed", child=self.name, reason="it did not stop in time")
            self.process.kill()
            self.process.wait()


def stop(children: Sequence[Child], grace_s: float) -> None:
    """Stop all children at the same time; return when all have ended."""
    deadline = time.monotonic() + grace_s
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait(deadline)


class CannotServe(Exception):
    """The message says what is wrong and what to do; `forger serve` prints it and exits with status 2."""
