"""Draw a running job as text: a progress bar, a line per curve, the newest sample."""

from typing import TYPE_CHECKING

from forger.text import WIDTH, progress_text, rounded, sparkline, time_left

if TYPE_CHECKING:
    from rich.console import Group

    from forger.events import Event
    from forger.job import Job


class LiveView:
    """The events of a job so far, drawn by rich."""

    def __init__(self, job: "Job") -> None:
        from forger.live_curves import LiveCurves

        self._job = job
        self._curves = LiveCurves()
        self._sample: str | None = None

    def add(self, event: "Event") -> None:
        from forger.events import SampleDrawn

        self._curves.add(event)
        if isinstance(event, SampleDrawn):
            self._sample = self._job.link(event.artifact)

    def __rich__(self) -> "Group":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        reply = self._job.reply
        at = progress_text(reply.progress.step, reply.progress.total) + time_left(reply.progress.eta_s)
        lines = Table.grid(padding=(0, 2))
        lines.add_row(str(reply.state), ProgressBar(reply.progress.total, reply.progress.step, WIDTH), at)
        for name, values in self._curves.by_name().items():
            lines.add_row(name, sparkline(values), rounded(values[-1]))
        head = Text(f"{reply.family or 'a recipe'} on {reply.dataset}  {reply.id}", style="bold")
        return Group(head, lines, *([Text(f"sample  {self._sample}", overflow="fold")] if self._sample else []))
