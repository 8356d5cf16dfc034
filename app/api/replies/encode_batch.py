"""Encode small pictures in batches on one thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from app.api.replies.images import Array, imaging_threads
from app.core.concurrency import MicroBatcher
from serving.thread_priority import use_batch_scheduling

T = TypeVar("T")
Delivery = Callable[[], None]

MAX_BATCHED_PIXELS = 1 << 16
"""pixels of a picture that is encoded in a batch: it takes some milliseconds, so that no other waits long"""
MAX_BATCH_TASKS = 64
"""tasks of one batch"""


async def encode_when_drawn(drawn: Future[Array], encode: Callable[[Array], T], pixels: int) -> T:
    """Return `encode` of the pictures that the engine is still drawing; `pixels` is their size.

    Encoding starts when they are drawn; the event loop is not involved. Cancellation also cancels the drawing.
    """
    task = _EncodeTask(drawn, encode)
    drawn.add_done_callback(lambda _: _submit(task, pixels))
    try:
        return await task.result
    finally:
        drawn.cancel()


class _EncodeTask(Generic[T]):
    """Drawn pictures, the function that encodes them, and the future of the result."""

    def __init__(self, drawn: Future[Array], encode: Callable[[Array], T]) -> None:
        self.loop = asyncio.get_running_loop()
        self.result: asyncio.Future[T] = self.loop.create_future()
        self._drawn, self._encode = drawn, encode

    def run(self) -> Delivery:
        """Encode the pictures; return a function that the loop must call to set the result."""
        if self._drawn.cancelled():
            return partial(self._deliver, self.result.cancel)
        try:
            return partial(self._deliver, self.result.set_result, self._encode(self._drawn.result()))
        # Any error goes to the waiting caller.
        except Exception as error:
            return partial(self._deliver, self.result.set_exception, error)

    def _deliver(self, deliver: Callable[..., object], *outcome: Any) -> None:
        if not self.result.done():
            deliver(*outcome)


def _submit(task: _EncodeTask[Any], pixels: int) -> None:
    """Submit a task, on the engine's thread, which completes up to 32 pictures at the same time."""
    if pixels > MAX_BATCHED_PIXELS:
        imaging_threads.submit(_run_batch, [task])
    else:
        _batcher.put(task)


def _run_batch(tasks: list[_EncodeTask[Any]]) -> None:
    """Run all tasks before any result is delivered, so that the event loop wakes up once."""
    deliveries: dict[asyncio.AbstractEventLoop, list[Delivery]] = {}
    for task in tasks:
        deliveries.setdefault(task.loop, []).append(task.run())
    for loop, loop_deliveries in deliveries.items():
        # A closed loop raises RuntimeError: nobody waits there.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_deliver_all, loop_deliveries)


def _deliver_all(deliveries: list[Delivery]) -> None:
    for deliver in deliveries:
        deliver()


_batcher: MicroBatcher[_EncodeTask[Any]] = MicroBatcher(
    "encoding", _run_batch, max_batch=MAX_BATCH_TASKS, initializer=use_batch_scheduling
)
