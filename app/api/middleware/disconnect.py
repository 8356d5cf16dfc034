"""Cancel work whose client has disconnected."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

T = TypeVar("T")


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`. If the client disconnects, cancel it and raise ClientDisconnect.

    The request's body must be read already, or be unwanted; a body over its limit is still refused. Waiting takes one
    task and no polling.
    """
    task, finished = asyncio.current_task(), False
    assert task is not None

    def end(_: object) -> None:
        if not finished:
            task.cancel()

    disconnect = asyncio.create_task(_wait_for_disconnect(request))
    disconnect.add_done_callback(end)
    try:
        # Lets a client that has disconnected already be noticed before the work begins.
        await asyncio.sleep(0)
        if not disconnect.done():
            return await work
    except asyncio.CancelledError:
        if not disconnect.done():
            raise
        task.uncancel()
    finally:
        finished = True
        disconnect.cancel()
        work.close()
    disconnect.result()
    raise ClientDisconnect


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
