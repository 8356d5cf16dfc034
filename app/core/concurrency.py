"""Limit, share and batch concurrent work."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, ParamSpec, TypeVar

from app.core.errors import Busy

P = ParamSpec("P")
T = TypeVar("T")


class Limiter:
    """A fixed number of places for concurrent work. Any thread may use it; nobody waits for a place."""

    def __init__(self, places: int, full: str, *, retry_after: float) -> None:
        """Create `places` places. `full` is the sentence of the Busy that is raised when all are occupied."""
        self._free = threading.Semaphore(places)
        self._full = full
        self._retry_after = retry_after

    def require_free(self) -> None:
        """Raise Busy if no place is free now."""
        with self.place():
            pass

    @contextmanager
    def place(self) -> Iterator[None]:
        """Occupy a place during the block. Raises Busy if none is free."""
        if not self._free.acquire(blocking=False):
            raise Busy(self._full, retry_after=self._retry_after)
        try:
            yield
        finally:
            self._free.release()


class Coalescer:
    """A thread pool for blocking calls: equal calls that still wait for a thread share one result.

    A call that has begun is not shared, so no result is older than the request for it.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._waiting: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of the call. Use it from one event loop, with hashable arguments."""
        key = call, args, frozenset(kwargs.items())
        with self._lock:
            future = self._waiting.get(key) or self._threads.submit(self._begin, key)
            self._waiting[key] = future
        # Shielded: a caller that is cancelled must not cancel the call for the others.
        result: T = await asyncio.shield(asyncio.wrap_future(future))
        return result

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _begin(self, key: tuple[Callable[..., Any], tuple[Any, ...], frozenset[tuple[str, Any]]]) -> Any:
        with self._lock:
            self._waiting.pop(key)
        call, args, kwargs = key
        return call(*args, **dict(kwargs))


class MicroBatcher(Generic[T]):
    """One thread that processes together all the items that arrived while it was busy.

    An idle thread starts at once with a single item: there is no waiting window. `work` gets up to `max_batch` items,
    in the order in which they were put, and must not raise.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[T]], None],
        *,
        max_batch: int,
        initializer: Callable[[], None] | None = None,
    ) -> None:
        self._work, self._max_batch = work, max_batch
        self._items: deque[T] = deque()
        self._woken = False
        """whether the thread will look at the queue again"""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=initializer)

    def put(self, item: T) -> None:
        """Queue an item, from any thread. Raises RuntimeError after `close`."""
        self._items.append(item)
        if not self._woken:
            self._woken = True
            self._thread.submit(self._drain)

    def close(self) -> None:
        """Process all queued items, then return."""
        self._thread.shutdown()

    def _drain(self) -> None:
        # Reset before the queue is read: an item that comes now wakes the thread again, at worst in vain.
        self._woken = False
        while items := [self._items.popleft() for _ in range(min(len(self._items), self._max_batch))]:
            self._work(items)
