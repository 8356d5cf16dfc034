"""Work for a client that may leave."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from app.api.middleware.disconnect import cancel_on_disconnect


async def forever() -> None:
    await asyncio.Event().wait()


async def staying() -> Message:
    await forever()
    raise AssertionError


async def leaving() -> Message:
    return {"type": "http.disconnect"}


async def too_long() -> Message:
    raise HTTPException(413)


def test_a_body_that_is_too_long_is_no_hang_up() -> None:
    with pytest.raises(HTTPException, match="413"):
        asyncio.run(cancel_on_disconnect(Request({"type": "http"}, too_long), forever()))


def test_who_has_left_is_not_worked_for() -> None:
    begun = []

    async def work() -> None:
        begun.append(True)

    async def ask() -> int:
        with pytest.raises(ClientDisconnect):
            await cancel_on_disconnect(Request({"type": "http"}, leaving), work())
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(ask()) == 0, "the task may go on"
    assert not begun


def test_a_hang_up_ends_the_work_and_nothing_else_does() -> None:
    gone, ended = asyncio.Event(), []

    async def until_gone() -> Message:
        await gone.wait()
        return await leaving()

    async def work() -> str:
        gone.set()
        try:
            await forever()
        finally:
            ended.append(True)
        return ""

    async def soon() -> str:
        await asyncio.sleep(0)
        return "made"

    with pytest.raises(ClientDisconnect):
        asyncio.run(cancel_on_disconnect(Request({"type": "http"}, until_gone), work()))
    assert ended
    assert asyncio.run(cancel_on_disconnect(Request({"type": "http"}, staying), soon())) == "made"


def test_a_server_that_stops_is_no_hang_up() -> None:
    async def stopped() -> None:
        task = asyncio.create_task(cancel_on_disconnect(Request({"type": "http"}, staying), forever()))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(stopped())
