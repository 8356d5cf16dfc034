"""The runner's link to its supervisor: orders arrive on stdin, heartbeats leave on stdout."""

import os
import sys
import threading
import time

from app.core.sandbox import private

HEARTBEAT_INTERVAL_S = 0.2
EXIT_ORPHANED = 70
"""the runner's exit status when its supervisor has died"""
EXIT_DATABASE_LOST = 72
"""the runner's exit status when it could not write to the job's row"""


class StopRequested(Exception):
    """A stop was requested. The attempt ends without the result of the work in hand."""


class SupervisorLink:
    """The runner's end of two pipes. When the supervisor dies, the runner's process ends."""

    def __init__(self) -> None:
        self.order: str | None = None
        """the newest order: "pause", "cancel", "release" or None"""
        self.remaining_s: float | None = None
        """seconds that the work still takes, None if unknown; every heartbeat reports it"""
        self._beat_at = 0.0
        self._beats = -1

    def open(self) -> None:
        """Start to listen for orders. The process ends at once when its supervisor does."""
        private.die_with_parent(os.getppid())
        self._beats = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not mix with heartbeats
        threading.Thread(target=self._listen, name="supervisor-link", daemon=True).start()

    def beat(self, step: int, *, now: bool = False) -> None:
        """Send a heartbeat unless the last one is younger than HEARTBEAT_INTERVAL_S; `now` always sends one.

        It is cheap enough to be called after every step. Use `now` before and after long work without heartbeats.
        """
        moment = time.monotonic()
        if now or moment - self._beat_at >= HEARTBEAT_INTERVAL_S:
            self._beat_at = moment
            remaining = "" if self.remaining_s is None else f" {self.remaining_s:.1f}"
            os.write(self._beats, f"{step}{remaining}\n".encode())

    def check_stop(self, step: int, *, now: bool = False) -> None:
        """Send a heartbeat, as `beat`. Raises StopRequested if an order has arrived."""
        self.beat(step, now=now)
        if self.order is not None:
            raise StopRequested

    def _listen(self) -> None:
        for line in sys.stdin:
            self.order = line.strip()
        os._exit(EXIT_ORPHANED)
