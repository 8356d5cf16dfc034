"""Shift the clock of a process by TEST_CLOCK_S seconds. Python imports this at start if the folder is on PYTHONPATH."""

import datetime
import os
import time
from typing import Self

_AHEAD_S = float(os.environ.get("TEST_CLOCK_S", "0"))
_time, _time_ns = time.time, time.time_ns


class _Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        return super().now(tz) + datetime.timedelta(seconds=_AHEAD_S)

    @classmethod
    def utcnow(cls) -> Self:
        return cls.now(datetime.UTC).replace(tzinfo=None)


if _AHEAD_S:
    time.time = lambda: _time() + _AHEAD_S
    time.time_ns = lambda: _time_ns() + int(_AHEAD_S * 1e9)
    datetime.datetime = _Shifted  # type: ignore[misc]
