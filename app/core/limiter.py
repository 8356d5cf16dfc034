"""Limit how many do something at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.core.errors import Busy


class Gate:
    """A number of places. Safe to use from any thread; nobody waits at it."""

    def __init__(self, places: int, full: str, *, retry_after: float) -> None:
        """`full` is the sentence for whoever finds no place."""
        self._free = threading.Semaphore(places)
        self._full = full
        self._retry_after = retry_after

    def require_free(self) -> None:
        """Raises Busy where there is no place now."""
        with self.entered():
            pass

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Takes a place for the time of the block. Raises Busy where there is none."""
        if not self._free.acquire(blocking=False):
            raise Busy(self._full, retry_after=self._retry_after)
        try:
            yield
        finally:
            self._free.release()
