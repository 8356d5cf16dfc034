"""Watch a job: as a live view in a terminal, else as plain lines."""

import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer

from forger.cli import common, printing
from forger.cli.live_view import LiveView
from forger.text import counted, health_word, rounded
from forger.wire import AUGMENT, EVALUATE, GENERATE, TERMINAL, TRAIN, TRANSLATE, JobState

if TYPE_CHECKING:
    from forger.job import Job
    from forger.schemas.jobs import JobOut

MAX_CLASSES_SHOWN = 20
"""most classes for which the suggested command draws pictures of each"""
BULK_KINDS = (GENERATE, TRANSLATE)
"""kinds of jobs that write shards of pictures"""
TRANSLATING_GAMES = ("unpaired", "paired")
"""kinds of games whose generator translates pictures"""


def expectation(reply: "JobOut") -> str | None:
    """Return a sentence on the time that an unfinished job takes, and on its start if it waits."""
    if reply.state in TERMINAL or reply.estimate is None or reply.estimate.minutes is None:
        return None
    takes = f"It takes {printing.duration_words(60 * reply.estimate.minutes)}"
    return takes + (f" and starts in {printing.duration_words(reply.starts_in_s)}." if reply.starts_in_s else ".")


def follow(job: "Job") -> None:
    """Watch the job until it ends, then print its result; exit code 1 unless it succeeded. Ctrl-C does not stop it."""
    watch(job)
    conclude(job)


def watch(job: "Job") -> None:
    """Watch the job as `follow` does, without its result."""
    if (sentence := expectation(job.reply)) is not None:
        typer.echo(sentence)
    try:
        if sys.stdout.isatty():
            _draw(job)
        else:
            _print_events(job)
    except KeyboardInterrupt:
        doing = "training" if job.reply.kind == TRAIN else "working"
        typer.echo(f"{job.id} goes on {doing}. Watch it again with: forger jobs follow {common.id_suffix(job.id)}")
        raise typer.Exit(130) from None
    _require_success(job)


def wait(job: "Job") -> None:
    """Wait for the job without output; exit code 1 unless it succeeded."""
    if job.wait().state != JobState.SUCCEEDED:
        raise typer.Exit(1)


def _require_success(job: "Job") -> None:
    reason = job.reply.status_reason
    if job.state != JobState.SUCCEEDED:
        typer.echo(f"{job.id} {job.state}" + (f": {reason.message}" if reason else "."), err=True)
        raise typer.Exit(1)


def conclude(job: "Job") -> None:
    """Print the result of a succeeded job: its figures, or the next command."""
    reason = job.reply.status_reason
    if job.reply.kind == EVALUATE:
        typer.echo(f"{job.id} has measured {weights_name(job)}:")
        print_figures(job)
        return
    if job.reply.kind in BULK_KINDS:
        shards = (job.reply.result and job.reply.result.shards) or 0
        typer.echo(
            f"{job.id} has made {job.reply.progress.step} in {counted(shards, 'file')}, by {weights_name(job)}. "
            "Save them with:"
        )
        typer.echo(f"  forger jobs save {common.id_suffix(job.id)} -o {shlex.quote(job.reply.dataset)}")
        return
    if job.reply.kind == AUGMENT:
        typer.echo(f"{job.id} has augmented {job.reply.dataset}. Save its report and its pictures with:")
        typer.echo(f"  forger jobs save {common.id_suffix(job.id)} -o {shlex.quote(job.reply.dataset)}")
        return
    if reason is not None:
        typer.echo(reason.message)
    if (health := job.reply.health) is not None and health.state != "healthy":
        typer.echo(f"Health: {health_word(health)}. {health.message}")
    typer.echo(f"{job.id} succeeded and published {job.model}. Try it with:")
    typer.echo(f"  {next_command(job)}")


def weights_name(job: "Job") -> str:
    """Name the trained weights that the job uses."""
    spec = job.reply.spec
    assert spec.kind != "train"
    if spec.weights is None:
        return f"a model that it trains, {job.reply.model}"
    return f"{spec.weights.model or spec.weights.checkpoint}, of step {spec.weights.step}"


def print_figures(job: "Job") -> None:
    """Print the job's figures, each with its better direction and its meaning."""
    details = {one.name: (one.better, one.title) for one in job.measured() if one.source == job.id}
    rows = ((name, rounded(value), *details.get(name, (None, None))) for name, value in job.figures.items())
    printing.print_table(("FIGURE", "VALUE", "BETTER", "MEANS"), rows)


def next_command(job: "Job") -> str:
    """Return the command that tries the job's model."""
    model, recipe = shlex.quote(job.model or ""), job.reply.recipe
    game, data = recipe["game"], recipe["data"]
    if game["kind"] in TRANSLATING_GAMES:
        photo = "hole.png" if game.get("task") == "masks" else "photo.jpg"
        return f"forger translate {photo} -o translated.png --model {model}"
    # Such a model cannot draw from noise.
    if game["kind"] == "reconstruction" and not game["divergence"]:
        return f"forger models show {shlex.quote((job.model or '').partition('@')[0])}"
    name = data["dataset"]
    match data["kind"]:
        case "points":
            options = f"-n 1000 -o {name}.png"
        case "sequences":
            options = f"-n 20 -o {name}.txt"
        case _:
            scale = max(1, 128 // data["side"])
            count = (
                "--class each -n 10" if game.get("conditional") and data["classes"] <= MAX_CLASSES_SHOWN else "-n 64"
            )
            options = f"{count} --scale {scale} -o {name}.png"
    return f"forger sample {options} --model {model}"


def _print_events(job: "Job") -> None:
    from forger.following import lines

    for line in lines(job, job.follow()):
        typer.echo(line)


def _draw(job: "Job") -> None:
    """Print states and messages above a live view that stays at the bottom."""
    from rich.console import Console
    from rich.live import Live

    from forger.events import OtherEvent, StateChanged, line
    from forger.following import refreshed

    view = LiveView(job)
    console = Console(highlight=False, markup=False)
    with _refreshing(job), Live(view, console=console, refresh_per_second=4) as live:
        for event in refreshed(job, job.follow()):
            view.add(event)
            if isinstance(event, StateChanged | OtherEvent):
                live.console.print(line(event, job.reply.progress.total))
    # The last reading of the thread may be older than the end.
    job.refresh()


@contextmanager
def _refreshing(job: "Job") -> Iterator[None]:
    """Refresh the job regularly during the block: no event reports heartbeats, which change step and time left."""
    from forger.following import REFRESH_S
    from forger.problems import ForgerProblem, Unreachable

    over = threading.Event()

    def read() -> None:
        while not over.wait(REFRESH_S):
            # The stream of events retries for longer, and reports the error.
            with suppress(Unreachable, ForgerProblem):
                job.refresh()

    reader = threading.Thread(target=read, name="refreshing", daemon=True)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()
