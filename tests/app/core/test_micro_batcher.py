"""Work that one thread does together for all that came while it was busy."""

import threading

from app.core.concurrency import MicroBatcher


def test_what_comes_while_the_thread_is_busy_is_done_together_and_in_order() -> None:
    lots: list[list[int]] = []
    began, go = threading.Event(), threading.Event()

    def work(things: list[int]) -> None:
        lots.append(things)
        began.set()
        assert go.wait(60)

    batcher = MicroBatcher("test", work, max_batch=4)
    batcher.put(0)
    assert began.wait(60)
    for thing in range(1, 8):
        batcher.put(thing)
    go.set()
    batcher.close()
    assert lots == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_nothing_that_many_threads_put_is_lost() -> None:
    done: list[int] = []
    batcher = MicroBatcher("test", done.extend, max_batch=8)

    def put(start: int) -> None:
        for thing in range(start, start + 2000):
            batcher.put(thing)

    threads = [threading.Thread(target=put, args=(start,)) for start in range(0, 16000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batcher.close()
    assert sorted(done) == list(range(16000))
