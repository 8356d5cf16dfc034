"""Measure the time to an attempt's first step, and estimate the time that is left."""

import time

SMOOTHING_S, MIN_SMOOTHING_STEPS = 20.0, 10
"""seconds, and at least steps, over which the time of a step is smoothed"""


class RemainingTime:
    """An estimate of the time that the rest of `total` steps takes.

    An evaluation follows every `every` steps and the last one; `every` None: there are no evaluations. Publishing the
    model is assumed to take as long as an evaluation.
    """

    def __init__(self, total: int, every: int | None = None) -> None:
        self._total, self._every = total, every
        self._step, self._ended_at, self._count = 0, 0.0, 0
        self._step_s: float | None = None
        self._evaluation_s = 0.0

    def step_ended(self, step: int, now: float) -> None:
        """Record that a step has ended at `now`, in seconds. An evaluation runs between two steps."""
        duration_s, previous_step = now - self._ended_at, self._step
        self._step, self._ended_at, self._count = step, now, self._count + 1
        if self._count == 1:
            return
        if self._step_s is None:
            self._step_s = duration_s
        elif self._every is not None and previous_step % self._every == 0:
            self._evaluation_s = max(0.0, duration_s - self._step_s)
        else:
            window = max(MIN_SMOOTHING_STEPS, SMOOTHING_S / max(self._step_s, 1e-6))
            self._step_s += (duration_s - self._step_s) / min(self._count, window)

    @property
    def remaining_s(self) -> float | None:
        """Seconds that remain; None until two steps have ended."""
        if self._step_s is None:
            return None
        evaluations = 0 if self._every is None else -(-self._total // self._every) - self._step // self._every + 1
        return (self._total - self._step) * self._step_s + evaluations * self._evaluation_s


class StartupTimer:
    """The durations of an attempt's startup phases. Each phase ends where the next one begins."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self.seconds: dict[str, float] = {}
        """by the phase's name followed by `_s`, its duration rounded to milliseconds"""

    def end_phase(self, phase: str) -> None:
        """Record that a phase has just ended."""
        now = time.monotonic()
        self.seconds[f"{phase}_s"] = round(now - self._since, 3)
        self._since = now
