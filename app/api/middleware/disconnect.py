"""Detect that a client has gone away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

T = TypeVar("T")


async def while_here(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work makes; it is cancelled when the client hangs up. Raises ClientDisconnect then.

    The body of the request has been read, or is not wanted; one that is longer than allowed is still refused. Waiting
    costs a task and no polling.
    """
    task, over = asyncio.current_task(), False
    assert task is not None

    def end(_: object) -> None:
        if not over:
            task.cancel()

    leaving = asyncio.create_task(_left(request))
    leaving.add_done_callback(end)
    try:
        await asyncio.sleep(0)  # whoever has left already is not worked for at all
        if not leaving.done():
            return await work
    except asyncio.CancelledError:
        if not leaving.done():
            raise
        task.uncancel()
    finally:
        over = True
        leaving.cancel()
        work.close()
    leaving.result()
    raise ClientDisconnect


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
