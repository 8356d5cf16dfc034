"""Equal questions that wait are answered together; one that has begun is never an answer to a later question."""

import asyncio
import threading

import pytest

from app.core.concurrency import Coalescer


class CountedCall:
    """Answers when it is let go, with how often it was call before."""

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
