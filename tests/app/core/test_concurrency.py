"""Equal waiting calls share a result that is newer than each of them; queued items are processed in batches."""

import asyncio
import threading

import pytest

from app.core.concurrency import Coalescer, MicroBatcher


class CountedCall:
    """A call that blocks until `go` is set; it returns how often it was called."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.times = 0

    def __call__(self, fails: bool = False) -> int:
        self.times += 1
        self.begun.set()
        self.go.wait(10)
        if fails:
            raise ZeroDivisionError
        return self.times


async def begun(call: CountedCall) -> None:
    assert await asyncio.to_thread(call.begun.wait, 10)


def test_what_waits_is_shared_and_what_has_begun_is_not() -> None:
    async def ask_many() -> tuple[int, list[int]]:
        coalescer, call = Coalescer("test", 1), CountedCall()
        first = asyncio.create_task(coalescer.run(call))
        await begun(call)
        others = [asyncio.create_task(coalescer.run(call)) for _ in range(100)]
        await asyncio.sleep(0)
        call.go.set()
        answers = await asyncio.gather(*others)
        coalescer.close()
        return await first, answers

    assert asyncio.run(ask_many()) == (1, [2] * 100)


def test_other_arguments_are_another_question() -> None:
    async def ask_both() -> list[int]:
        coalescer = Coalescer("test", 1)
        answers = await asyncio.gather(*(coalescer.run(len, "ab"[:n]) for n in (1, 2, 1, 2)))
        coalescer.close()
        return answers

    assert asyncio.run(ask_both()) == [1, 2, 1, 2]


def test_who_leaves_takes_the_answer_from_nobody() -> None:
    async def leave() -> int:
        coalescer, call = Coalescer("test", 1), CountedCall()
        blocking = asyncio.create_task(coalescer.run(call, False))
        await begun(call)
        leaving, staying = (asyncio.create_task(coalescer.run(call)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        call.go.set()
        await blocking
        answer = await staying
        coalescer.close()
        return answer

    assert asyncio.run(leave()) == 2


def test_an_error_reaches_all_who_asked() -> None:
    async def fail() -> None:
        coalescer, call = Coalescer("test", 1), CountedCall()
        call.go.set()
        for outcome in await asyncio.gather(*(coalescer.run(call, True) for _ in range(3)), return_exceptions=True):
            assert isinstance(outcome, ZeroDivisionError)
        with pytest.raises(ZeroDivisionError):
            await coalescer.run(call, fails=True)
        coalescer.close()

    asyncio.run(fail())


def test_items_put_while_the_thread_is_busy_are_processed_together_in_order() -> None:
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


def test_no_item_of_many_threads_is_lost() -> None:
    done: list[int] = []
    batcher = MicroBatcher("test", done.extend, max_batch=8)

    def put(start: int) -> None:
        for item in range(start, start + 2000):
            batcher.put(item)

    threads = [threading.Thread(target=put, args=(start,)) for start in range(0, 16000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batcher.close()
    assert sorted(done) == list(range(16000))
