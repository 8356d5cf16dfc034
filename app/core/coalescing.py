"""Questions that many ask at the same moment, answered once."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Coalescer:
    """Runs blocking calls on few threads. Who asks what still waits for a thread shares its answer.

    A call that has begun is not shared: whoever asks after that gets an answer that is not older than the question.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._waiting: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    async def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call returns. Ask in one event loop, with arguments that can be hashed."""
        key = call, args, frozenset(kwargs.items())
        with self._lock:
            asked = self._waiting.get(key) or self._threads.submit(self._begin, key)
            self._waiting[key] = asked
        # Shielded: one that leaves must not take the answer from the others.
        answer: T = await asyncio.shield(asyncio.wrap_future(asked))
        return answer

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _begin(self, key: tuple[Callable[..., Any], tuple[Any, ...], frozenset[tuple[str, Any]]]) -> Any:
        with self._lock:
            self._waiting.pop(key)
        call, args, kwargs = key
        return call(*args, **dict(kwargs))
