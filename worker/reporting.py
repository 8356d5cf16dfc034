"""Reports are written behind the training's back: it waits neither for a picture to be drawn nor for the database."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.services.attempts import Reported

PAUSE_S = 0.5
"""between the beginnings of two transactions: what is added meanwhile comes with the second"""
MOST = 64
"""reports that may wait"""
Draw = Callable[[], bytes]
"""A picture as PNG."""


@dataclass(frozen=True, slots=True)
class _Added:
    step: int
    values: Mapping[str, float | None]
    draw: Draw | None


class Reports:
    """For the time of the block. `write` takes one or more, in the order in which they were added.

    What is noted of the job in another way must come after `flush`, so that the log tells things in their order, and so
    that a checkpoint is known only when all before it is: what a killed process has not written is made again by the
    next attempt, which begins at a checkpoint.
    """

    def __init__(self, write: Callable[[Sequence[Reported]], None]) -> None:
        self._write = write
        self._added: list[_Added] = []
        self._turn = threading.Condition()
        self._busy = self._hurry = self._over = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """What was added is written whatever ended the block, unless it ended because that cannot be done."""
        try:
            if error is None or error is not self._error:
                self.flush()
        finally:
            with self._turn:
                self._over = True
                self._turn.notify_all()
            self._thread.join()

    def add(self, step: int, values: Mapping[str, float | None], draw: Draw | None = None) -> None:
        """Returns at once, unless very many wait. Raises what the writing of an earlier one raised."""
        with self._turn:
            self._turn.wait_for(lambda: len(self._added) < MOST or self._error)
            self._check()
            self._added.append(_Added(step, values, draw))
            self._turn.notify_all()

    def flush(self) -> None:
        """Returns when all is written. Raises what the writing raised."""
        with self._turn:
            self._hurry = True
            self._turn.notify_all()
            self._turn.wait_for(lambda: not (self._added or self._busy) or self._error)
            self._hurry = False
            self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        began = -PAUSE_S
        while added := self._next(began + PAUSE_S):
            began = time.monotonic()
            try:
                self._write([Reported(one.step, one.values, one.draw and one.draw()) for one in added])
            except Exception as error:  # whatever it is, the training is told, and tells the row
                self._error = error
            with self._turn:
                self._busy = False
                self._turn.notify_all()
            if self._error is not None:
                return

    def _next(self, due: float) -> list[_Added]:
        """What was added until it is due, or until somebody waits for it; nothing at the end of the block."""
        with self._turn:
            self._turn.wait_for(lambda: self._added or self._over)
            pause = max(0.0, due - time.monotonic())
            self._turn.wait_for(lambda: self._hurry or self._over or len(self._added) >= MOST, pause)
            added, self._added = self._added, []
            self._busy = bool(added)
            self._turn.notify_all()
            return added
