"""Watching a job: a picture of it that is drawn anew, or plain lines where no terminal is."""

import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer

from app.cli import ask
from app.cli.watched import Watched, by_player, figure
from app.core.names import EVALUATE, GENERATE, TRAIN, TRANSLATE
from app.core.states import TERMINAL, JobState

if TYPE_CHECKING:
    from app.client import Event, Job
    from app.schemas.jobs import JobOut

EACH = 20
"""classes up to which some pictures of each are shown"""
MANY = (GENERATE, TRANSLATE)
"""kinds of jobs that leave files of pictures"""
READ_S = 1.0
"""the job itself is read again after this time, for the time left"""


def expectation(seen: "JobOut") -> str | None:
    """How long a job takes that has not ended, and when it starts where it waits."""
    if seen.state in TERMINAL or seen.estimate is None or seen.estimate.minutes is None:
        return None
    takes = f"It takes {ask.lasting(60 * seen.estimate.minutes)}"
    return takes + (f" and starts in {ask.lasting(seen.starts_in_s)}." if seen.starts_in_s else ".")


def follow(job: "Job") -> None:
    """Until the job ends, and how it ended; exit code 1 unless it succeeded. Ctrl-C leaves it training."""
    watch(job)
    conclude(job)


def watch(job: "Job") -> None:
    """As `follow`, and nothing of what it came to."""
    if (sentence := expectation(job.seen)) is not None:
        typer.echo(sentence)
    try:
        if sys.stdout.isatty():
            _draw(job)
        else:
            _tell(job)
    except KeyboardInterrupt:
        doing = "training" if job.seen.kind == TRAIN else "working"
        typer.echo(f"{job.id} goes on {doing}. Watch it again with: forger jobs follow {ask.end(job.id)}")
        raise typer.Exit(130) from None
    _require_success(job)


def wait(job: "Job") -> None:
    """As `follow`, without a word."""
    if job.wait().state != JobState.SUCCEEDED:
        raise typer.Exit(1)


def _require_success(job: "Job") -> None:
    reason = job.seen.status_reason
    if job.state != JobState.SUCCEEDED:
        typer.echo(f"{job.id} {job.state}" + (f": {reason.message}" if reason else "."), err=True)
        raise typer.Exit(1)


def conclude(job: "Job") -> None:
    """What a job that succeeded came to: what was measured, or the next line to type."""
    reason = job.seen.status_reason
    if job.seen.kind == EVALUATE:
        typer.echo(f"{job.id} has measured {weights(job)}:")
        figures(job)
        return
    if job.seen.kind in MANY:
        shards = job.seen.result.shards if job.seen.result else 0
        typer.echo(f"{job.id} has made {job.seen.progress.step} in {shards} files, by {weights(job)}. Save them with:")
        typer.echo(f"  forger jobs save {ask.end(job.id)} -o {shlex.quote(job.seen.dataset)}")
        return
    if reason is not None:
        typer.echo(reason.message)
    if (health := job.seen.health) is not None and health.state != "healthy":
        typer.echo(f"Health: {ask.health(health)}. {health.message}")
    typer.echo(f"{job.id} succeeded and published {job.model}. Try it with:")
    typer.echo(f"  {next_line(job)}")


def weights(job: "Job") -> str:
    """Name the trained weights that the job uses."""
    spec = job.seen.spec
    assert spec.kind != "train"
    return f"{spec.weights.model or spec.weights.checkpoint}, of step {spec.weights.step}"


def figures(job: "Job") -> None:
    """What was measured, with the better way and the meaning of each."""
    from models.spec.watch import FIGURES

    known = {name: (FIGURES[name].better, FIGURES[name].title) for name in job.figures if name in FIGURES}
    rows = ((name, figure(value), *known.get(name, (None, None))) for name, value in job.figures.items())
    ask.table(("FIGURE", "VALUE", "BETTER", "MEANS"), rows)


def next_line(job: "Job") -> str:
    """The command that shows what the job has learned."""
    model, recipe = shlex.quote(job.model or ""), job.seen.recipe
    if recipe.translates:
        photo = "hole.png" if recipe.fills_holes else "photo.jpg"
        return f"forger translate {photo} -o translated.png --model {model}"
    if not recipe.generates:
        return f"forger models show {shlex.quote((job.model or '').partition('@')[0])}"
    name = recipe.data.dataset
    match recipe.data.kind:
        case "points":
            asked = f"-n 1000 -o {name}.png"
        case "sequences":
            asked = f"-n 20 -o {name}.txt"
        case _:
            scale = max(1, 128 // recipe.data.side)
            count = "--class each -n 10" if 0 < recipe.classes <= EACH else "-n 64"
            asked = f"{count} --scale {scale} -o {name}.png"
    return f"forger sample {asked} --model {model}"


def _tell(job: "Job") -> None:
    for event in _events(job):
        line = sentence(job, event)
        if line is not None:
            typer.echo(line)


def sentence(job: "Job", event: "Event") -> str | None:
    """One line for an event that a person wants to read."""
    from app.client import CheckpointSaved, Metrics, Rewound, SampleDrawn, ShardWritten, StateChanged, Told
    from app.remote.notebook import course

    match event:
        case StateChanged(state=state, reason=reason):
            return f"{state}: {reason}" if reason else str(state)
        case Metrics(step=step, values=values):
            figures = "  ".join(f"{name} {figure(value)}" for name, value in by_player(values).items())
            return f"step {course(step, job.seen.progress.total)}  {figures}"
        case Rewound(to_step=step):
            return f"goes on from step {step}"
        case ShardWritten(step=step, name=name):
            return f"step {course(step, job.seen.progress.total)}  {name}"
        case CheckpointSaved() | SampleDrawn():
            return None
        case Told(type="best", data=data):
            return f"the best so far: step {data['step']}, {data['metric']} {figure(data['value'])}"
        case _:
            return event.message


def _draw(job: "Job") -> None:
    """States and what the job tells scroll by; the picture stays below."""
    from rich.console import Console
    from rich.live import Live

    from app.client import StateChanged, Told

    watched = Watched(job)
    console = Console(highlight=False, markup=False)
    with _refreshed(job), Live(watched, console=console, refresh_per_second=4) as live:
        for event in _events(job):
            watched.take(event)
            if isinstance(event, StateChanged | Told):
                live.console.print(sentence(job, event))
    job.refresh()  # what the reader has read last may be older than the end


@contextmanager
def _refreshed(job: "Job") -> Iterator[None]:
    """Read the job now and then: its step and the time left change with its heartbeats, of which no event tells."""
    from app.client import ForgerProblem, Unreachable

    over = threading.Event()

    def read() -> None:
        while not over.wait(READ_S):
            with suppress(Unreachable, ForgerProblem):  # the stream of events has more patience, and tells why
                job.refresh()

    reader = threading.Thread(target=read, name="refreshing", daemon=True)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()


def _events(job: "Job") -> "Iterator[Event]":
    """Of the job, which is read again with each change of it and once a second: its length and the time left."""
    from app.client import StateChanged, Told, Unreachable

    read_at = 0.0
    for event in job.follow():
        if isinstance(event, StateChanged | Told) or time.monotonic() - read_at > READ_S:
            read_at = time.monotonic()
            with suppress(Unreachable):  # the stream has more patience than one request
                job.refresh()
        yield event
