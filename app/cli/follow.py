"""Watching a job: a picture of it that is drawn anew, or plain lines where no terminal is."""

import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from app.cli import ask

if TYPE_CHECKING:
    from rich.console import Group

    from app.client import Event, Job

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 48
"""characters of a curve and of the bar"""
READ_S = 1.0
"""the job itself is read again after this time, for the time left"""
LOST = "!"
"""in a curve: a value that was not finite"""


def follow(job: "Job") -> None:
    """Until the job ends; exit code 1 unless it succeeded. Ctrl-C leaves it training."""
    terminal = ask.console()
    try:
        if terminal.is_terminal:
            _draw(job)
        else:
            _tell(job)
    except KeyboardInterrupt:
        typer.echo(f"{job.id} goes on training. Watch it again with: forger jobs follow {job.id[-8:]}")
        raise typer.Exit(130) from None
    conclude(job)


def conclude(job: "Job") -> None:
    """How it ended, and the next line to type."""
    if job.model is None:
        reason = job.seen.status_reason
        typer.echo(f"{job.id} {job.state}" + (f": {reason.message}" if reason else "."), err=True)
        raise typer.Exit(1)
    typer.echo(f"{job.id} succeeded and published {job.model}. Try it with:")
    typer.echo(f"  {next_line(job)}")


def next_line(job: "Job") -> str:
    """The command that shows what the job has learned."""
    model, recipe = shlex.quote(job.model or ""), job.seen.recipe
    if recipe.game.kind != "synthesis":
        return f"forger translate photo.jpg -o translated.png --model {model}"
    scale = 1 if recipe.data.kind == "points" else max(1, 128 // recipe.data.side)
    asked = "--class each -n 10" if recipe.classes else "-n 64"
    return f"forger sample {asked} --scale {scale} -o {recipe.data.dataset}.png --model {model}"


def _tell(job: "Job") -> None:
    for event in job.follow():
        line = sentence(job, event)
        if line is not None:
            typer.echo(line)


def sentence(job: "Job", event: "Event") -> str | None:
    """One line for an event that a person wants to read."""
    from app.client import CheckpointSaved, Metrics, Rewound, SampleDrawn, StateChanged

    match event:
        case StateChanged(state=state, reason=reason):
            return f"{state}: {reason}" if reason else str(state)
        case Metrics(step=step, values=values):
            figures = "  ".join(f"{name} {_figure(value)}" for name, value in by_player(values).items())
            return f"step {step} of {job.seen.progress.total}  {figures}"
        case SampleDrawn(step=step, artifact=artifact):
            return f"sample of step {step}: {job.link(artifact)}"
        case Rewound(to_step=step):
            return f"goes on from step {step}"
        case CheckpointSaved():
            return None
        case _:
            return event.message


def by_player(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Each player's sum, which is what it minimises; None where a part was not finite."""
    sums: dict[str, float | None] = {}
    for name, value in sorted(values.items()):
        player = name.partition("/")[0]
        before = sums.get(player, 0.0)
        sums[player] = None if before is None or value is None else before + value
    return sums


def _figure(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


def spark(values: Sequence[float | None], width: int = WIDTH) -> str:
    """A curve in one line: its whole course, each character the mean of its share."""
    means = list(values)
    if len(values) > width:
        means = [_mean(values[i * len(values) // width : (i + 1) * len(values) // width]) for i in range(width)]
    finite = [mean for mean in means if mean is not None]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    steps = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(LOST if mean is None else BLOCKS[round((mean - low) * steps)] for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None]
    return sum(finite) / len(finite) if len(finite) == len(values) else None


class Watched:
    """What has been seen of a job so far."""

    def __init__(self, job: "Job") -> None:
        self.job = job
        self.step = 0
        self.points: list[tuple[int, dict[str, float | None]]] = []
        self.sample: str | None = None

    def take(self, event: "Event") -> None:
        from app.client import Metrics, Rewound, SampleDrawn

        match event:
            case Metrics(step=step, values=values):
                self.step = step
                self.points.append((step, by_player(values)))
            case Rewound(to_step=step):
                self.step = step
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

        seen = self.job.seen
        total = seen.progress.total
        lines = Table.grid(padding=(0, 2))
        lines.add_row(
            str(seen.state), ProgressBar(total, self.step, WIDTH), f"{self.step} of {total}{_left(seen.progress.eta_s)}"
        )
        for name, values in self.curves().items():
            lines.add_row(name, spark(values), _figure(values[-1]))
        head = Text(f"{seen.family or 'a recipe'} on {seen.dataset}  {seen.id}", style="bold")
        return Group(head, lines, *([Text(f"sample  {self.sample}", overflow="fold")] if self.sample else []))


def _left(eta_s: float | None) -> str:
    if eta_s is None:
        return ""
    minutes, seconds = divmod(round(eta_s), 60)
    return f", {minutes} min {seconds} s left" if minutes else f", {seconds} s left"


def _draw(job: "Job") -> None:
    """States and what the job tells scroll by; the picture stays below."""
    from rich.live import Live

    from app.client import StateChanged, Told, Unreachable

    watched = Watched(job)
    read_at = 0.0
    with Live(watched, console=ask.console(), refresh_per_second=4) as live:
        for event in job.follow():
            watched.take(event)
            told = isinstance(event, StateChanged | Told)
            if told:
                live.console.print(sentence(job, event))
            if told or time.monotonic() - read_at > READ_S:
                read_at = time.monotonic()
                with suppress(Unreachable):  # the stream has more patience than one request
                    job.refresh()
