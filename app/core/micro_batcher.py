"""Process on one thread, together, all the work that came in while it was busy."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Gatherer(Generic[T]):
    """A free thread begins at once with one thing; a busy one finds all that came meanwhile. No waiting window.

    `work` is given up to `most` things in the order in which they were put, and raises nothing.
    """

    def __init__(
        self, name: str, work: Callable[[list[T]], None], *, most: int, initializer: Callable[[], None] | None = None
    ) -> None:
        self._work, self._most = work, most
        self._things: deque[T] = deque()
        self._called = False
        """whether the thread will still look"""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=initializer)

    def put(self, thing: T) -> None:
        """From any thread. Raises RuntimeError once it is closed."""
        self._things.append(thing)
        if not self._called:
            self._called = True
            self._thread.submit(self._take)

    def close(self) -> None:
        """Returns when all is done that was put."""
        self._thread.shutdown()

    def _take(self) -> None:
        self._called = False  # before the look: what comes now calls again, at worst for nothing
        while things := [self._things.popleft() for _ in range(min(len(self._things), self._most))]:
            self._work(things)
