"""Wait for a condition instead of sleeping for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], *, within_s: float = 120.0, every_s: float = 0.02) -> T:
    """Return the condition's first true result; fail the test when none comes in time."""
    deadline = time.monotonic() + within_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Nothing within {within_s:g} s: {condition}")
        time.sleep(every_s)
    return result
