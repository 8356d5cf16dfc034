"""Encode small pictures together, on a thread of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from app.api.replies.images import Array, threads
from app.core.micro_batcher import Gatherer
from serving.thread_priority import use_batch_scheduling

T = TypeVar("T")
Tell = Callable[[], None]

FEW_PIXELS = 1 << 16
"""of what is finished in one lot: some milliseconds each, so that none waits long for another"""
MOST = 64
"""orders of a lot"""


async def finished(made: Future[Array], work: Callable[[Array], T], pixels: int) -> T:
    """What `work` makes of pictures that the engine is still making; `pixels` says how large that is.

    It follows at once upon them, without a way over the event loop. Who is cancelled here cancels the pictures too.
    """
    order = _Order(made, work)
    made.add_done_callback(lambda _: _enter(order, pixels))
    try:
        return await order.answer
    finally:
        made.cancel()


class _Order(Generic[T]):
    """Pictures, what is to be made of them, and who waits for it."""

    def __init__(self, made: Future[Array], work: Callable[[Array], T]) -> None:
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[T] = self.loop.create_future()
        self._made, self._work = made, work

    def fill(self) -> Tell:
        """What the loop is to call."""
        if self._made.cancelled():
            return partial(self._tell, self.answer.cancel)
        try:
            return partial(self._tell, self.answer.set_result, self._work(self._made.result()))
        except Exception as error:  # whoever waits must be told, whatever it is
            return partial(self._tell, self.answer.set_exception, error)

    def _tell(self, tell: Callable[..., object], *outcome: Any) -> None:
        if not self.answer.done():
            tell(*outcome)


def _enter(order: _Order[Any], pixels: int) -> None:
    """On the engine's thread, which leaves up to 32 pictures at once."""
    if pixels > FEW_PIXELS:
        threads.submit(_fill, [order])
    else:
        _small.put(order)


def _fill(orders: list[_Order[Any]]) -> None:
    """All of them before any is told: the loop wakes up once, not between one and the next."""
    told: dict[asyncio.AbstractEventLoop, list[Tell]] = {}
    for order in orders:
        told.setdefault(order.loop, []).append(order.fill())
    for loop, tells in told.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there
            loop.call_soon_threadsafe(_tell_all, tells)


def _tell_all(tells: list[Tell]) -> None:
    for tell in tells:
        tell()


_small: Gatherer[_Order[Any]] = Gatherer("finishing", _fill, most=MOST, initializer=use_batch_scheduling)
