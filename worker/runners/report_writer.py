"""Write a training's reports on a background thread, in order."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.services.jobs.attempts import StepReport

TRANSACTION_INTERVAL_S = 0.5
"""seconds between the starts of two transactions; the second one writes all reports that were added meanwhile"""
MAX_QUEUED = 64
"""reports and other writes that may wait"""
DrawPng = Callable[[], bytes]
"""returns a picture as PNG"""
DrawJson = Callable[[], bytes]
"""returns a probe as JSON"""


@dataclass(frozen=True, slots=True)
class _QueuedReport:
    step: int
    values: Mapping[str, float | None]
    draw: DrawPng | None
    probe: DrawJson | None

    def to_step_report(self) -> StepReport:
        """Render the picture and the probe; return the report with their bytes."""
        return StepReport(self.step, self.values, self.draw and self.draw(), self.probe and self.probe())


JobWrite = Callable[[], None]
"""writes anything else about the job"""


class ReportWriter:
    """A writer that runs inside its `with` block. `write` gets one or more reports, in the order of `add_report`.

    Other writes keep their place among the reports and do not wait for TRANSACTION_INTERVAL_S. So events are in order,
    and a checkpoint is recorded only after all reports before it. If the process is killed, the next attempt starts at
    a recorded checkpoint and produces the lost reports again. Call `flush` before writing in any other way.
    """

    def __init__(self, write: Callable[[Sequence[StepReport]], None]) -> None:
        self._write = write
        self._queue: list[_QueuedReport | JobWrite] = []
        self._changed = threading.Condition()
        self._writing = self._urgent = self._closed = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Write all that is queued, whatever ended the block, unless it ended because writing failed."""
        try:
            if error is None or error is not self._error:
                self.flush()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._thread.join()

    def add_report(
        self,
        step: int,
        values: Mapping[str, float | None],
        draw: DrawPng | None = None,
        probe: DrawJson | None = None,
    ) -> None:
        """Queue a report. Wait only if MAX_QUEUED already wait. Raises the error of an earlier write."""
        self._append(_QueuedReport(step, values, draw, probe))

    def add_write(self, write: JobWrite) -> None:
        """Queue another write, as `add_report`."""
        self._append(write, urgent=True)

    def flush(self) -> None:
        """Wait until all is written. Raises the error of a write."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not (self._queue or self._writing) or self._error)
            self._check()

    def _append(self, entry: _QueuedReport | JobWrite, *, urgent: bool = False) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) < MAX_QUEUED or self._error)
            self._check()
            self._queue.append(entry)
            self._urgent = self._urgent or urgent
            self._changed.notify_all()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        began = -TRANSACTION_INTERVAL_S
        while entries := self._take_due(began + TRANSACTION_INTERVAL_S):
            began = time.monotonic()
            try:
                self._write_in_order(entries)
            except Exception as error:  # the next call of the training thread raises it
                self._error = error
            with self._changed:
                self._writing = False
                self._changed.notify_all()
            if self._error is not None:
                return

    def _write_in_order(self, entries: list[_QueuedReport | JobWrite]) -> None:
        """Write the entries; reports that follow each other share a transaction."""
        reports: list[_QueuedReport] = []
        for entry in entries:
            if isinstance(entry, _QueuedReport):
                reports.append(entry)
                continue
            self._write_reports(reports)
            reports = []
            entry()
        self._write_reports(reports)

    def _write_reports(self, reports: list[_QueuedReport]) -> None:
        if reports:
            self._write([report.to_step_report() for report in reports])

    def _take_due(self, due: float) -> list[_QueuedReport | JobWrite]:
        """Wait until `due`, or less if something is urgent, and take the queue; return [] at the end of the block."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            pause = max(0.0, due - time.monotonic())
            self._changed.wait_for(lambda: self._urgent or self._closed or len(self._queue) >= MAX_QUEUED, pause)
            entries, self._queue = self._queue, []
            self._writing, self._urgent = bool(entries), False
            self._changed.notify_all()
            return entries
