"""Work is cancelled when its client disconnects, and for no other reason."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from app.api.middleware.disconnect import cancel_on_disconnect


async def forever() -> None:
    await asyncio.Event().wait()


async def stay_connected() -> Message:
    await forever()
    raise AssertionError


async def disconnect() -> Message:
    return {"type": "http.disconnect"}


async def refuse_body() -> Message:
    raise HTTPException(413)


def test_too_long_body_is_not_taken_for_a_disconnect() -> None:
    with pytest.raises(HTTPException, match="413"):
        asyncio.run(cancel_on_disconnect(Request({"type": "http"}, refuse_body), forever()))


def test_work_does_not_start_if_the_client_has_disconnected() -> None:
    started = []

    async def work() -> None:
        started.append(True)

    async def run() -> int:
        with pytest.raises(ClientDisconnect):
            await cancel_on_disconnect(Request({"type": "http"}, disconnect), work())
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(run()) == 0, "the task may go on"
    assert not started


def test_disconnect_cancels_the_work_and_otherwise_it_returns() -> None:
    work_started, cancelled = asyncio.Event(), []

    async def disconnect_after_start() -> Message:
        await work_started.wait()
        return await disconnect()

    async def work() -> str:
        work_started.set()
        try:
            await forever()
        finally:
            cancelled.append(True)
        return ""

    async def finish() -> str:
        await asyncio.sleep(0)
        return "finished"

    with pytest.raises(ClientDisconnect):
        asyncio.run(cancel_on_disconnect(Request({"type": "http"}, disconnect_after_start), work()))
    assert cancelled
    assert asyncio.run(cancel_on_disconnect(Request({"type": "http"}, stay_connected), finish())) == "finished"


def test_server_shutdown_is_not_taken_for_a_disconnect() -> None:
    async def cancel_server_task() -> None:
        task = asyncio.create_task(cancel_on_disconnect(Request({"type": "http"}, stay_connected), forever()))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_server_task())
