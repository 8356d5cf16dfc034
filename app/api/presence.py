"""Whether the client is still there."""

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
    leaving = asyncio.create_task(_left(request))
    await asyncio.sleep(0)  # whoever has left already is not worked for at all
    if leaving.done():
        work.close()
        leaving.result()
        raise ClientDisconnect
    working = asyncio.create_task(work)
    try:
        await asyncio.wait((leaving, working), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            leaving.result()
            raise ClientDisconnect
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
