"""Reply with the result of a search for a latent, at its end or after events that report its progress."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from fastapi import Request
from fastapi.sse import format_sse_event

from app.api.problems import problem_for
from app.api.replies.images import on_imaging_thread
from app.core.errors import ForgerError
from app.services.inference.inversion import Found, Progress, psnr
from forger.schemas.inversion import InversionProgress

Searching = AsyncGenerator[Progress | Found]


async def result(searching: Searching, encoded: Callable[[Found], bytes]) -> bytes:
    """Wait for the end of a search, and return its result, encoded on an imaging thread."""
    async with aclosing(searching):
        async for news in searching:
            if isinstance(news, Found):
                return await on_imaging_thread(encoded, news)
    raise AssertionError("A search ends with its result.")


async def events(
    request: Request, searching: Searching, steps: int, encoded: Callable[[Found], bytes]
) -> AsyncGenerator[bytes]:
    """Yield an event `progress` after each part of a search, and at last `result`, or `error` with a problem."""
    try:
        async with aclosing(searching):
            async for news in searching:
                if isinstance(news, Found):
                    body = await on_imaging_thread(encoded, news)
                    yield format_sse_event(event="result", data_str=body.decode())
                else:
                    progress = InversionProgress(step=news.step, steps=steps, psnr=psnr(news.mse))
                    yield format_sse_event(event="progress", data_str=progress.model_dump_json())
    except ForgerError as error:
        yield format_sse_event(event="error", data_str=bytes((await problem_for(request, error)).body).decode())
