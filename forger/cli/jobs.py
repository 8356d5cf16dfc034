"""`forger jobs`: list, show, events, metrics, figures, follow, save, cancel, pause, resume, delete; `forger extend`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import ask, complete, follow
from forger.cli.pictures import VALUES, by_ending, write_bytes
from forger.cli.watched import figure
from forger.wire import TRAIN

if TYPE_CHECKING:
    from forger.client import Forger
    from forger.job import Job

group = typer.Typer(help="List jobs and act on one: by id, by the beginning or end of an id, or `last`.")

Which = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="An id, its beginning or end, or `last`.", autocompletion=complete.jobs, show_default=False
    ),
]


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only in this state.", autocompletion=complete.states)] = None,
    family: Annotated[str | None, typer.Option(help="Only this family.", autocompletion=complete.families)] = None,
    dataset: Annotated[str | None, typer.Option(help="Only on this.", autocompletion=complete.datasets)] = None,
    model: Annotated[str | None, typer.Option(help="Only for this model.", autocompletion=complete.models)] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many.")] = 20,
    as_json: ask.AsJson = False,
) -> None:
    """List jobs, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    every = ask.forger(ctx).jobs(state=state, family=family, dataset=dataset, model=model)
    found = [job for job, _ in zip(every, range(limit), strict=False)]
    if as_json:
        ask.put_json([job.seen for job in found])
        return
    short = ask.short([job.id for job in found])
    rows = (_row(job, short[job.id]) for job in found)
    ask.table(("ID", "KIND", "FAMILY", "DATASET", "STATE", "HEALTH", "STEP", "MODEL", "CREATED"), rows)


def _row(job: "Job", short: str) -> tuple[object, ...]:
    seen = job.seen
    return (
        short,
        seen.kind,
        seen.family,
        seen.dataset,
        seen.state,
        ask.health(seen.health),
        job.course if seen.starts_in_s is None else f"in {max(1, round(seen.starts_in_s / 60))} min",
        job.model or seen.model,
        ask.when(seen.created_at),
    )


@group.command()
def show(ctx: typer.Context, id_: Which, as_json: ask.AsJson = False) -> None:
    """What is known of a job, and its checkpoints."""
    job = ask.find_job(ask.forger(ctx), id_)
    job.refresh()
    if as_json:
        ask.put_json(job.seen)
        return
    ask.pairs(_facts(job))
    if job.figures:
        typer.echo()
        follow.figures(job)
    kept = job.checkpoints()
    if kept:
        typer.echo()
        ask.table(
            ("CHECKPOINT", "STEP", "BYTES", "SAVED"),
            ((row.id, row.step, row.size, ask.when(row.created_at)) for row in kept),
        )


def _facts(job: "Job") -> dict[str, object]:
    seen, reason = job.seen, job.seen.status_reason
    facts: dict[str, object] = {
        "id": seen.id,
        "state": seen.state if reason is None else f"{seen.state}: {reason.message}",
        "recipe": f"{seen.family or 'custom'} on {seen.dataset}, seed {seen.recipe['seed']}",
        "devices": seen.spec.devices if seen.spec.kind == "train" and seen.spec.devices > 1 else None,
        "step": job.course,
        **({"publishes": job.model or seen.model} if seen.kind == TRAIN else {f"{seen.kind}s": follow.weights(job)}),
        "best": seen.best and f"step {seen.best.step}, {seen.best.metric} {seen.best.value:.4g}",
        "health": seen.health and f"{ask.health(seen.health)}: {seen.health.message}",
        "place in queue": seen.queue_position,
        "takes": seen.estimate and seen.estimate.minutes and ask.lasting(60 * seen.estimate.minutes),
        "starts in": seen.starts_in_s and ask.lasting(seen.starts_in_s),
        "computes with": seen.numerics and ", ".join(f"{name} {value}" for name, value in seen.numerics.items()),
        "sha256": seen.result and seen.result.export_sha256,
        "attempt": seen.attempt,
        "created": ask.when(seen.created_at),
        "started": ask.when(seen.started_at),
        "finished": ask.when(seen.finished_at),
    }
    return {name: value for name, value in facts.items() if value is not None}


@group.command()
def events(ctx: typer.Context, id_: Which, as_json: ask.AsJson = False) -> None:
    """All that has happened to a job."""
    told = list(ask.find_job(ask.forger(ctx), id_).events())
    if as_json:
        ask.put_json(told)
        return
    ask.table(
        ("SEQ", "AT", "TYPE", "WHAT"), ((one.seq, ask.when(one.at), one.type, ask.brief(one.data)) for one in told)
    )


@group.command()
def metrics(
    ctx: typer.Context,
    id_: Which,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write every point instead (.csv, .parquet); - for CSV here.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="Only this curve; may be repeated.")] = None,
) -> None:
    """The curves of a job: `forger jobs metrics last -o curves.parquet`; without -o where they stand."""
    job = ask.find_job(ask.forger(ctx), id_)
    if out is not None:
        write_bytes(job.curves(by_ending(out, VALUES), *(name or ())), out, f"the curves of {job.id}")
        return
    curves = job.metrics(*(name or ()))
    if not curves:
        typer.echo("It has no such curve." if name else "It has no curves yet.")
        return
    rows = ((curve, points[-1][0], figure(points[-1][1], 4)) for curve, points in curves.items())
    ask.table(("CURVE", "STEP", "VALUE"), rows)


@group.command("figures")
def figures_(
    ctx: typer.Context,
    id_: Which,
    cite: Annotated[bool, typer.Option("--cite", help="A line to cite each by.")] = False,
    as_json: ask.AsJson = False,
) -> None:
    """What was measured of a job, by itself and by evaluations of what it published."""
    measured = ask.find_job(ask.forger(ctx), id_).measured()
    if as_json:
        ask.put_json(measured)
    elif not measured:
        typer.echo("Nothing was measured of it yet.")
    elif cite:
        typer.echo("\n".join(f"{one.name} {figure(one.value, 4)}: {one.citation}" for one in measured))
    else:
        ask.table(
            ("FIGURE", "VALUE", "BETTER", "STEP", "MEASURED"),
            ((one.name, figure(one.value, 4), one.better, one.step, one.told) for one in measured),
        )


@group.command("follow")
def follow_(ctx: typer.Context, id_: Which) -> None:
    """Watch a job until it ends; Ctrl-C leaves it training."""
    follow.follow(ask.find_job(ask.forger(ctx), id_))


@group.command()
def save(
    ctx: typer.Context,
    id_: Which,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write into.")] = Path("artifacts"),
    kind: Annotated[str | None, typer.Option(help="Only these: shard, export, sample, evaluation.")] = None,
) -> None:
    """Save the files that a job has left so far; those that are there already are not fetched again."""
    saved = ask.find_job(ask.forger(ctx), id_).save_all(output, kind)
    typer.echo(f"{output}: {len(saved)} files")


@group.command()
def cancel(ctx: typer.Context, id_: Which) -> None:
    """End a job at its next step."""
    forger = ask.forger(ctx)
    _say(forger, ask.find_job(forger, id_).cancel())


@group.command()
def pause(ctx: typer.Context, id_: Which) -> None:
    """Save a job at its next step and free the device."""
    forger = ask.forger(ctx)
    _say(forger, ask.find_job(forger, id_).pause())


@group.command()
def resume(ctx: typer.Context, id_: Which) -> None:
    """Go on with a paused job."""
    forger = ask.forger(ctx)
    _say(forger, ask.find_job(forger, id_).resume())


def extend(
    ctx: typer.Context,
    id_: Which,
    steps: Annotated[int, typer.Option(min=1, help="How many steps more.", show_default=False)],
    following: Annotated[bool, typer.Option("--follow", "-f", help="Watch until it ends.")] = False,
) -> None:
    """Train on after the end: a learning-rate schedule goes on over the new, longer budget from where it stands."""
    forger = ask.forger(ctx)
    job = ask.find_job(forger, id_).extend(steps)
    typer.echo(f"{job.id} goes on to step {job.seen.progress.total}, at {forger.url}.")
    if following:
        follow.follow(job)


@group.command()
def delete(ctx: typer.Context, id_: Which) -> None:
    """Forget a job that has ended, with all its files; what it published stays."""
    forger = ask.forger(ctx)
    job = ask.find_job(forger, id_)
    job.delete()
    typer.echo(f"{job.id} ({_described(job)}) is deleted at {forger.url}.")


def _say(forger: "Forger", job: "Job") -> None:
    typer.echo(f"{job.id} ({_described(job)}) is {job.state} at {forger.url}.")


def _described(job: "Job") -> str:
    """Describe a job, so that a person who wrote `last` sees which one was meant."""
    seen = job.seen
    return f"{seen.kind} {seen.family or 'a recipe'} on {seen.dataset}, {job.model or seen.model}"
