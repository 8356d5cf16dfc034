"""Measure the time to an attempt's first step, and estimate the time that is left."""

import time

SMOOTHING_S, MIN_SMOOTHING_STEPS = 20.0, 10
"""over so many seconds, and at least so many steps, the time of a step is smoothed"""


class RemainingTime:
    """The time left of `total` steps, with an evaluation after every `every` steps and after the last one.

    `every` None: there are no evaluations. Publication is assumed to last as long as an evaluation.
    """

    def __init__(self, total: int, every: int | None = None) -> None:
        self._total, self._every = total, every
        self._step, self._at, self._seen = 0, 0.0, 0
        self._step_s: float | None = None
        self._look_s = 0.0

    def step_ended(self, step: int, now: float) -> None:
        """Note that a step has ended at `now`, in seconds. Evaluations run between a step and the next one."""
        took, before = now - self._at, self._step
        self._step, self._at, self._seen = step, now, self._seen + 1
        if self._seen == 1:
            return
        if self._step_s is None:
            self._step_s = took
        elif self._every is not None and before % self._every == 0:
            self._look_s = max(0.0, took - self._step_s)
        else:
            over = max(MIN_SMOOTHING_STEPS, SMOOTHING_S / max(self._step_s, 1e-6))
            self._step_s += (took - self._step_s) / min(self._seen, over)

    @property
    def remaining_s(self) -> float | None:
        """Seconds; None until two steps were seen."""
        if self._step_s is None:
            return None
        looks = 0 if self._every is None else -(-self._total // self._every) - self._step // self._every + 1
        return (self._total - self._step) * self._step_s + looks * self._look_s


class StartupTimer:
    """Parts of the way, one after the other: each ends where the next one begins."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self.seconds: dict[str, float] = {}
        """by the part's name with `_s` behind it, to milliseconds"""

    def over(self, part: str) -> None:
        """A part has just ended."""
        now = time.monotonic()
        self.seconds[f"{part}_s"] = round(now - self._since, 3)
        self._since = now
