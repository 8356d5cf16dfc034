"""A call for tests of concurrency: it blocks until it is released and counts how often it ran."""

import threading


class CountedCall:
    """Block until `go` is set; return how often it was called."""

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
