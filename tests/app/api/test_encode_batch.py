"""What becomes of pictures once the engine leaves them."""

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
def test_it_ends_as_the_pictures_do(pixels: int) -> None:
    async def ends() -> None:
        made: list[Future[Array]] = [Future() for _ in range(4)]
        drawn, failed, closed, left = (asyncio.create_task(encode_when_drawn(one, shape, pixels)) for one in made)
        await asyncio.sleep(0)
        made[0].set_result(np.zeros((2, 3)))
        made[1].set_exception(ValueError("no"))
        made[2].cancel()
        left.cancel()
        assert await drawn == (2, 3)
        with pytest.raises(ValueError, match="no"):
            await failed
        for over in (closed, left):
            with pytest.raises(asyncio.CancelledError):
                await over
        assert made[3].cancelled()

    asyncio.run(asyncio.wait_for(ends(), 60))


def test_what_fails_in_the_work_is_told_and_the_rest_of_its_lot_is_made() -> None:
    def fail(pictures: Array) -> tuple[int, ...]:
        raise ValueError("no")

    async def lot() -> list[object]:
        made: list[Future[Array]] = [Future() for _ in range(33)]
        works = [fail if place == 7 else shape for place in range(33)]
        waits = [asyncio.create_task(encode_when_drawn(one, work, 1)) for one, work in zip(made, works, strict=True)]
        await asyncio.sleep(0)
        for place, one in enumerate(made):
            one.set_result(np.zeros((place, 2)))
        return list(await asyncio.gather(*waits, return_exceptions=True))

    outcomes = asyncio.run(asyncio.wait_for(lot(), 60))
    assert isinstance(outcomes.pop(7), ValueError)
    assert outcomes == [(place, 2) for place in range(33) if place != 7]


def test_small_ones_do_not_wait_for_large_ones() -> None:
    small_is_there = threading.Event()

    def wait(pictures: Array) -> bool:
        return small_is_there.wait(60)

    async def both() -> bool:
        made: list[Future[Array]] = [Future(), Future(), Future()]
        large = [asyncio.create_task(encode_when_drawn(one, wait, LARGE)) for one in made[:2]]
        small = asyncio.create_task(encode_when_drawn(made[2], shape, 1))
        await asyncio.sleep(0)
        for one in made:
            one.set_result(np.zeros((1, 1)))
        await small
        small_is_there.set()
        return all(await asyncio.gather(*large))

    assert asyncio.run(both())
