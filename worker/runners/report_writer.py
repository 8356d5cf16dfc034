"""Write a training's reports on a background thread, in order."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.services.jobs.attempts import StepReport

TRANSACTION_INTERVAL_S = 0.5
"""between the beginnings of two transactions: what is added meanwhile comes with the second"""
MAX_QUEUED = 64
"""reports that may wait"""
DrawPng = Callable[[], bytes]
"""A picture as PNG."""


@dataclass(frozen=True, slots=True)
class _QueuedReport:
    step: int
    values: Mapping[str, float | None]
    draw: DrawPng | None


JobWrite = Callable[[], None]
"""Writes something else of the job."""


class ReportWriter:
    """For the time of the block. `write` takes one report or more, in the order in which they were added.

    Notes are written in their place among the reports, at once: so the log tells things in their order, and a
    checkpoint is known only when all before it is. What a killed process has not written is made again by the next
    attempt, which begins at a checkpoint. What is noted in another way must come after `flush`.
    """

    def __init__(self, write: Callable[[Sequence[StepReport]], None]) -> None:
        self._write = write
        self._added: list[_QueuedReport | JobWrite] = []
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

    def add(self, step: int, values: Mapping[str, float | None], draw: DrawPng | None = None) -> None:
        """Returns at once, unless very many wait. Raises what the writing of an earlier one raised."""
        self._append(_QueuedReport(step, values, draw))

    def note(self, note: JobWrite) -> None:
        """As `add`."""
        self._append(note, hurry=True)

    def flush(self) -> None:
        """Returns when all is written. Raises what the writing raised."""
        with self._turn:
            self._hurry = True
            self._turn.notify_all()
            self._turn.wait_for(lambda: not (self._added or self._busy) or self._error)
            self._check()

    def _append(self, added: _QueuedReport | JobWrite, *, hurry: bool = False) -> None:
        with self._turn:
            self._turn.wait_for(lambda: len(self._added) < MAX_QUEUED or self._error)
            self._check()
            self._added.append(added)
            self._hurry = self._hurry or hurry
            self._turn.notify_all()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        began = -TRANSACTION_INTERVAL_S
        while added := self._next(began + TRANSACTION_INTERVAL_S):
            began = time.monotonic()
            try:
                self._write_in_order(added)
            except Exception as error:  # whatever it is, the training is told, and tells the row
                self._error = error
            with self._turn:
                self._busy = False
                self._turn.notify_all()
            if self._error is not None:
                return

    def _write_in_order(self, added: list[_QueuedReport | JobWrite]) -> None:
        """Neighbouring reports are one transaction."""
        reports: list[_QueuedReport] = []
        for one in added:
            if isinstance(one, _QueuedReport):
                reports.append(one)
                continue
            self._write_reports(reports)
            reports = []
            one()
        self._write_reports(reports)

    def _write_reports(self, added: list[_QueuedReport]) -> None:
        if added:
            self._write([StepReport(one.step, one.values, one.draw and one.draw()) for one in added])

    def _next(self, due: float) -> list[_QueuedReport | JobWrite]:
        """What was added until it is due, or until somebody waits for it; nothing at the end of the block."""
        with self._turn:
            self._turn.wait_for(lambda: self._added or self._over)
            pause = max(0.0, due - time.monotonic())
            self._turn.wait_for(lambda: self._hurry or self._over or len(self._added) >= MAX_QUEUED, pause)
            added, self._added = self._added, []
            self._busy, self._hurry = bool(added), False
            self._turn.notify_all()
            return added
