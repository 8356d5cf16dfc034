"""Equal waiting calls share a result that is newer than each of them; queued items are processed in batches."""

import asyncio
import threading

import pytest

from app.core.concurrency import Coalescer, MicroBatcher
from tests.support.counted_call import CountedCall


async def wait_until_begun(call: CountedCall) -> None:
    assert await asyncio.to_thread(call.begun.wait, 10)


def test_coalescer_shares_waiting_calls_but_not_running_ones() -> None:
    async def call_many() -> tuple[int, list[int]]:
        coalescer, call = Coalescer("test", 1), CountedCall()
        first = asyncio.create_task(coalescer.run(call))
        await wait_until_begun(call)
        others = [asyncio.create_task(coalescer.run(call)) for _ in range(100)]
        await asyncio.sleep(0)
        call.go.set()
        results = await asyncio.gather(*others)
        coalescer.close()
        return await first, results

    assert asyncio.run(call_many()) == (1, [2] * 100)


def test_coalescer_keeps_calls_with_different_arguments_apart() -> None:
    async def call_both() -> list[int]:
        coalescer = Coalescer("test", 1)
        results = await asyncio.gather(*(coalescer.run(len, "ab"[:n]) for n in (1, 2, 1, 2)))
        coalescer.close()
        return results

    assert asyncio.run(call_both()) == [1, 2, 1, 2]


def test_coalescer_cancelling_one_waiter_leaves_the_result_to_the_others() -> None:
    async def cancel_one() -> int:
        coalescer, call = Coalescer("test", 1), CountedCall()
        blocking = asyncio.create_task(coalescer.run(call, False))
        await wait_until_begun(call)
        leaving, staying = (asyncio.create_task(coalescer.run(call)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        call.go.set()
        await blocking
        result = await staying
        coalescer.close()
        return result

    assert asyncio.run(cancel_one()) == 2


def test_coalescer_raises_an_error_in_every_waiter() -> None:
    async def call_and_fail() -> None:
        coalescer, call = Coalescer("test", 1), CountedCall()
        call.go.set()
        for outcome in await asyncio.gather(*(coalescer.run(call, True) for _ in range(3)), return_exceptions=True):
            assert isinstance(outcome, ZeroDivisionError)
        with pytest.raises(ZeroDivisionError):
            await coalescer.run(call, fails=True)
        coalescer.close()

    asyncio.run(call_and_fail())


def test_micro_batcher_batches_items_put_while_busy_in_order() -> None:
    batches: list[list[int]] = []
    began, go = threading.Event(), threading.Event()

    def work(items: list[int]) -> None:
        batches.append(items)
        began.set()
        assert go.wait(60)

    batcher = MicroBatcher("test", work, max_batch=4)
    batcher.put(0)
    assert began.wait(60)
    for item in range(1, 8):
        batcher.put(item)
    go.set()
    batcher.close()
    assert batches == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_micro_batcher_loses_no_item_of_concurrent_threads() -> None:
    processed: list[int] = []
    batcher = MicroBatcher("test", processed.extend, max_batch=8)

    def put_items(start: int) -> None:
        for item in range(start, start + 2000):
            batcher.put(item)

    threads = [threading.Thread(target=put_items, args=(start,)) for start in range(0, 16000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batcher.close()
    assert sorted(processed) == list(range(16000))
