"""Encoding of pictures after the engine has drawn them."""

import asyncio
import threading
from concurrent.futures import Future

import numpy as np
import pytest

from app.api.replies.encode_batch import MAX_BATCHED_PIXELS, encode_when_drawn
from app.api.replies.images import Array

LARGE = MAX_BATCHED_PIXELS + 1


def shape(pictures: Array) -> tuple[int, ...]:
    return pictures.shape


@pytest.mark.parametrize("pixels", [1, LARGE])
def test_encoding_succeeds_fails_and_is_cancelled_with_its_pictures(pixels: int) -> None:
    async def encode_four() -> None:
        drawings: list[Future[Array]] = [Future() for _ in range(4)]
        tasks = [asyncio.create_task(encode_when_drawn(drawing, shape, pixels)) for drawing in drawings]
        await asyncio.sleep(0)
        drawings[0].set_result(np.zeros((2, 3)))
        drawings[1].set_exception(ValueError("no"))
        drawings[2].cancel()
        tasks[3].cancel()
        assert await tasks[0] == (2, 3)
        with pytest.raises(ValueError, match="no"):
            await tasks[1]
        for cancelled in tasks[2:]:
            with pytest.raises(asyncio.CancelledError):
                await cancelled
        assert drawings[3].cancelled()

    asyncio.run(asyncio.wait_for(encode_four(), 60))


def test_task_that_fails_raises_and_the_rest_of_its_batch_is_encoded() -> None:
    def fail(pictures: Array) -> tuple[int, ...]:
        raise ValueError("no")

    async def encode_batch() -> list[object]:
        drawings: list[Future[Array]] = [Future() for _ in range(33)]
        encoders = [fail if number == 7 else shape for number in range(33)]
        tasks = [
            asyncio.create_task(encode_when_drawn(drawing, encode, 1))
            for drawing, encode in zip(drawings, encoders, strict=True)
        ]
        await asyncio.sleep(0)
        for number, drawing in enumerate(drawings):
            drawing.set_result(np.zeros((number, 2)))
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    outcomes = asyncio.run(asyncio.wait_for(encode_batch(), 60))
    assert isinstance(outcomes.pop(7), ValueError)
    assert outcomes == [(number, 2) for number in range(33) if number != 7]


def test_small_pictures_do_not_wait_for_large_ones() -> None:
    small_is_encoded = threading.Event()

    def wait(pictures: Array) -> bool:
        return small_is_encoded.wait(60)

    async def encode_small_and_large() -> bool:
        drawings: list[Future[Array]] = [Future(), Future(), Future()]
        large = [asyncio.create_task(encode_when_drawn(drawing, wait, LARGE)) for drawing in drawings[:2]]
        small = asyncio.create_task(encode_when_drawn(drawings[2], shape, 1))
        await asyncio.sleep(0)
        for drawing in drawings:
            drawing.set_result(np.zeros((1, 1)))
        await small
        small_is_encoded.set()
        return all(await asyncio.gather(*large))

    assert asyncio.run(encode_small_and_large())
