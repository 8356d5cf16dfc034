"""Follow a job: its events one by one, as lines in a terminal, as one display in a notebook."""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from forger import events, notebook
from forger.events import Event, OtherEvent, Patience, StateChanged, parse_event
from forger.live_curves import LiveCurves
from forger.notebook import Bundle
from forger.problems import ForgerProblem, Unreachable

if TYPE_CHECKING:
    from forger.job import Job
    from forger.picture import Picture

REFRESH_S = 1.0
"""seconds after which the job is read again, for its steps and remaining time"""
NO_LONGER_WATCHED = "No longer watched. The job goes on; job.follow() shows it again."


class Following(Iterator[Event]):
    """The events of a job, once and in order, until it ends.

    A notebook that displays it shows the job instead, as `show` does.
    """

    def __init__(self, job: "Job", stream: Iterator[Event], after: int) -> None:
        self._job = job
        self._stream = stream
        self._after = after

    def __next__(self) -> Event:
        return next(self._stream)

    def __repr__(self) -> str:
        return f"<Following of {self._job.id}: loop over it for its events, or call show() to watch>"

    def show(self) -> None:
        """Watch the job until it ends: in a notebook in one display that is updated, else as printed lines.

        >>> job.follow().show()
        """
        if _in_kernel():
            self._display()
        else:
            for line in lines(self._job, self):
                print(line, flush=True)

    def _ipython_display_(self) -> None:
        self.show()

    def _display(self) -> None:
        from IPython.display import display

        handle: Any = None
        shown: Bundle = {}
        try:
            for bundle in views(self._job, self._after):
                if handle is None:
                    handle = display(bundle, raw=True, display_id=True)
                elif bundle != shown:
                    handle.update(bundle, raw=True)
                shown = bundle
        except KeyboardInterrupt:
            if handle is not None:
                handle.update(notebook.noted(shown, NO_LONGER_WATCHED), raw=True)
            raise


def refreshed(job: "Job", stream: Iterator[Event]) -> Iterator[Event]:
    """Yield the events of `stream`; refresh the job at changes and once per second, for steps and remaining time."""
    read_at = 0.0
    for event in stream:
        if isinstance(event, StateChanged | OtherEvent) or time.monotonic() - read_at > REFRESH_S:
            read_at = time.monotonic()
            # The stream of events retries for longer than one request.
            with suppress(Unreachable):
                job.refresh()
        yield event


def lines(job: "Job", stream: Iterator[Event]) -> Iterator[str]:
    """Yield a line for each event of the job's `stream` that is of interest to a person."""
    for event in refreshed(job, stream):
        line = events.line(event, job.reply.progress.total)
        if line is not None:
            yield line


def views(job: "Job", after: int = 0) -> Iterator[Bundle]:
    """Yield what a display shows of the job, every second until it has ended; retry as long as `Patience` allows.

    The job and its new events are read in turn, in one thread: steps and remaining time change between events.
    """
    curves, patience = LiveCurves(), Patience()
    picture: Picture | None = None
    drawn: str | None = None
    while True:
        try:
            # After the refresh, because all events of an ended job exist.
            ended = job.refresh().ended
            for event in job.events(after):
                curves.add(parse_event(event.seq, event.type, event.data))
                after = event.seq
            if (newest := job.reply.links.get("sample")) != drawn:
                # The picture of an attempt that was lost is deleted; the next attempt draws another one.
                with suppress(ForgerProblem):
                    picture, drawn = job.fetch(newest) if newest else None, newest
            patience.renew()
        except (Unreachable, ForgerProblem) as error:
            patience.spend(error)
            ended = False
        yield notebook.following(job.reply, curves.by_name(), picture, job.studio)
        if ended:
            return
        time.sleep(REFRESH_S)


def _in_kernel() -> bool:
    """Return whether this process is a Jupyter kernel, which can update a display."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None
