"""Draw a running job as text: a progress bar, a line per curve, the newest sample."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group

    from forger.events import Event
    from forger.job import Job

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 48
"""characters of a curve and of the bar"""
NOT_FINITE = "!"
"""character of a curve for a value that was not finite"""


def by_player(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return each player's sum of losses, which it minimises, and each figure; None if a part was not finite.

    Gauges are left out: they measure different things, so a sum has no meaning.
    """
    sums: dict[str, float | None] = {}
    for name, value in sorted(values.items()):
        player, _, part = name.partition("/")
        if player == "gauge":
            continue
        if player == "figure":
            sums[part] = value
            continue
        before = sums.get(player, 0.0)
        sums[player] = None if before is None or value is None else before + value
    return sums


def rounded(value: float | None, digits: int = 3) -> str:
    """Return a value with `digits` significant digits; None was not finite."""
    return "not finite" if value is None else f"{value:.{digits}g}"


def sparkline(values: Sequence[float | None], width: int = WIDTH) -> str:
    """Return a whole curve in one line; each character shows the mean of its share of the values."""
    means = list(values)
    if len(values) > width:
        means = [_mean(values[i * len(values) // width : (i + 1) * len(values) // width]) for i in range(width)]
    finite = [mean for mean in means if mean is not None]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    steps = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(NOT_FINITE if mean is None else BLOCKS[round((mean - low) * steps)] for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None]
    return sum(finite) / len(finite) if len(finite) == len(values) else None


class LiveView:
    """The events of a job so far, drawn by rich."""

    def __init__(self, job: "Job") -> None:
        self.job = job
        self.points: list[tuple[int, dict[str, float | None]]] = []
        self.sample: str | None = None

    def take(self, event: "Event") -> None:
        from forger.events import Metrics, Rewound, SampleDrawn

        match event:
            case Metrics(step=step, values=values):
                self.points.append((step, by_player(values)))
            case Rewound(to_step=step):
                self.points = [point for point in self.points if point[0] <= step]
            case SampleDrawn(artifact=artifact):
                self.sample = self.job.link(artifact)
            case _:
                pass

    def curves(self) -> dict[str, list[float | None]]:
        names = sorted({name for _, values in self.points for name in values})
        return {name: [values[name] for _, values in self.points if name in values] for name in names}

    def __rich__(self) -> "Group":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        from forger.notebook import progress_text

        reply = self.job.reply
        at = progress_text(reply.progress.step, reply.progress.total) + _time_left(reply.progress.eta_s)
        lines = Table.grid(padding=(0, 2))
        lines.add_row(str(reply.state), ProgressBar(reply.progress.total, reply.progress.step, WIDTH), at)
        for name, values in self.curves().items():
            lines.add_row(name, sparkline(values), rounded(values[-1]))
        head = Text(f"{reply.family or 'a recipe'} on {reply.dataset}  {reply.id}", style="bold")
        return Group(head, lines, *([Text(f"sample  {self.sample}", overflow="fold")] if self.sample else []))


def _time_left(eta_s: float | None) -> str:
    if eta_s is None:
        return ""
    minutes, seconds = divmod(round(eta_s), 60)
    return f", {minutes} min {seconds} s left" if minutes else f", {seconds} s left"
