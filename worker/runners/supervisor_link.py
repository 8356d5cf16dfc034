"""The runner's link to its supervisor: orders on stdin, heartbeats on stdout; neither outlives the other."""

import os
import sys
import threading
import time

from app.core.sandbox import private

HEARTBEAT_INTERVAL_S = 0.2
EXIT_ORPHANED = 70
"""the runner's exit status when its supervisor is gone"""
EXIT_DATABASE_LOST = 72
"""the runner's exit status when it could not write to the job's row"""


class StopRequested(Exception):
    """The attempt is to end, and keeps nothing of what it has just begun."""


class SupervisorLink:
    """`wanted` is the newest order: "pause", "cancel", "release" or None."""

    def __init__(self) -> None:
        self.wanted: str | None = None
        self.remaining_s: float | None = None
        """what the work has yet to go, as far as it is known; told with each heartbeat"""
        self._beat_at = 0.0
        self._beats = -1

    def hold(self) -> None:
        """Starts to listen. The process ends at once when the supervisor does."""
        private.die_with(os.getppid())
        self._beats = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no heartbeat
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    def beat(self, step: int, *, now: bool = False) -> None:
        """Cheap enough to call after every step; `now` is for the moments around a long silence."""
        moment = time.monotonic()
        if now or moment - self._beat_at >= HEARTBEAT_INTERVAL_S:
            self._beat_at = moment
            left = "" if self.remaining_s is None else f" {self.remaining_s:.1f}"
            os.write(self._beats, f"{step}{left}\n".encode())

    def check_stop(self, step: int, *, now: bool = False) -> None:
        """Send a heartbeat. Raises CalledOff where the attempt is to end."""
        self.beat(step, now=now)
        if self.wanted is not None:
            raise StopRequested

    def _listen(self) -> None:
        for line in sys.stdin:
            self.wanted = line.strip()
        os._exit(EXIT_ORPHANED)
