"""Run `forger jobs` and `forger extend`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import augment, common, complete, follow, printing
from forger.cli.pictures import TABLE_FORMATS, save_bytes, value_by_ending
from forger.text import counted, health_word, rounded
from forger.wire import AUGMENT, TRAIN

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
    dataset: Annotated[str | None, typer.Option(help="Only on this dataset.", autocompletion=complete.datasets)] = None,
    model: Annotated[
        str | None, typer.Option(help="Only for this name or name@version.", autocompletion=complete.models)
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="Number of jobs.")] = 20,
    as_json: common.AsJson = False,
) -> None:
    """List jobs, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    every = common.client(ctx).jobs(state=state, family=family, dataset=dataset, model=model)
    jobs = [job for job, _ in zip(every, range(limit), strict=False)]
    if as_json:
        printing.print_json([job.reply for job in jobs])
        return
    short = common.short_ids([job.id for job in jobs])
    rows = (_row(job, short[job.id]) for job in jobs)
    printing.print_table(("ID", "KIND", "FAMILY", "DATASET", "STATE", "HEALTH", "STEP", "MODEL", "CREATED"), rows)


def _row(job: "Job", short: str) -> tuple[object, ...]:
    reply = job.reply
    return (
        short,
        reply.kind,
        reply.family,
        reply.dataset,
        reply.state,
        health_word(reply.health),
        job.course if reply.starts_in_s is None else f"in {max(1, round(reply.starts_in_s / 60))} min",
        job.model or reply.model,
        printing.local_time(reply.created_at),
    )


@group.command()
def show(ctx: typer.Context, id_: Which, as_json: common.AsJson = False) -> None:
    """Show a job with its figures, its checkpoints, and the report of an augmentation."""
    forger = common.client(ctx)
    job = common.find_job(forger, id_)
    job.refresh()
    if as_json:
        printing.print_json(job.reply)
        return
    printing.print_facts(_facts(job))
    _print_augmentation(forger, job)
    if job.figures:
        typer.echo()
        follow.print_figures(job)
    kept = job.checkpoints()
    if kept:
        typer.echo()
        printing.print_table(
            ("CHECKPOINT", "STEP", "BYTES", "SAVED"),
            ((row.id, row.step, row.size, printing.local_time(row.created_at)) for row in kept),
        )


def _print_augmentation(forger: "Forger", job: "Job") -> None:
    """Print the report of an augmentation that has succeeded."""
    report = forger.augmentation(job.id).report if job.reply.kind == AUGMENT else None
    if report is not None:
        typer.echo()
        augment.print_report(report)


def _facts(job: "Job") -> dict[str, object]:
    reply, reason = job.reply, job.reply.status_reason
    facts: dict[str, object] = {
        "id": reply.id,
        "state": reply.state if reason is None else f"{reply.state}: {reason.message}",
        "recipe": f"{reply.family or 'custom'} on {reply.dataset}, seed {reply.recipe['seed']}",
        "devices": reply.spec.devices if reply.spec.kind == "train" and reply.spec.devices > 1 else None,
        "step": job.course,
        **(
            {"publishes": job.model or reply.model}
            if reply.kind == TRAIN
            else {f"{reply.kind}s": follow.weights_name(job)}
        ),
        "best": reply.best and f"step {reply.best.step}, {reply.best.metric} {reply.best.value:.4g}",
        "health": reply.health and f"{health_word(reply.health)}: {reply.health.message}",
        "place in queue": reply.queue_position,
        "takes": reply.estimate and reply.estimate.minutes and printing.duration_words(60 * reply.estimate.minutes),
        "starts in": reply.starts_in_s and printing.duration_words(reply.starts_in_s),
        "computes with": reply.numerics and ", ".join(f"{name} {value}" for name, value in reply.numerics.items()),
        "sha256": reply.result and reply.result.export_sha256,
        "attempt": reply.attempt,
        "created": printing.local_time(reply.created_at),
        "started": printing.local_time(reply.started_at),
        "finished": printing.local_time(reply.finished_at),
    }
    return {name: value for name, value in facts.items() if value is not None}


@group.command()
def events(ctx: typer.Context, id_: Which, as_json: common.AsJson = False) -> None:
    """List the events of a job."""
    events = list(common.find_job(common.client(ctx), id_).events())
    if as_json:
        printing.print_json(events)
        return
    printing.print_table(
        ("SEQ", "AT", "TYPE", "WHAT"),
        ((one.seq, printing.local_time(one.at), one.type, printing.one_line(one.data)) for one in events),
    )


@group.command()
def metrics(
    ctx: typer.Context,
    id_: Which,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Save every point instead (.csv, .parquet); - prints CSV.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="Only this curve; may be repeated.")] = None,
) -> None:
    """Save a job's curves: `forger jobs metrics last -o curves.parquet`; without -o print their last values."""
    job = common.find_job(common.client(ctx), id_)
    if out is not None:
        save_bytes(job.curves(value_by_ending(out, TABLE_FORMATS), *(name or ())), out, f"the curves of {job.id}")
        return
    curves = job.metrics(*(name or ()))
    if not curves:
        typer.echo("It has no such curve." if name else "It has no curves yet.")
        return
    rows = ((curve, points[-1][0], rounded(points[-1][1], 4)) for curve, points in curves.items())
    printing.print_table(("CURVE", "STEP", "VALUE"), rows)


@group.command("figures")
def figures_(
    ctx: typer.Context,
    id_: Which,
    cite: Annotated[bool, typer.Option("--cite", help="Print a citation of each.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Show a job's figures: its own, and those of evaluations of its models."""
    measured = common.find_job(common.client(ctx), id_).measured()
    if as_json:
        printing.print_json(measured)
    elif not measured:
        typer.echo("Nothing was measured of it yet.")
    elif cite:
        typer.echo("\n".join(f"{one.name} {rounded(one.value, 4)}: {one.citation}" for one in measured))
    else:
        printing.print_table(
            ("FIGURE", "VALUE", "BETTER", "STEP", "MEASURED"),
            ((one.name, rounded(one.value, 4), one.better, one.step, one.provenance_text) for one in measured),
        )


@group.command("follow")
def follow_(ctx: typer.Context, id_: Which) -> None:
    """Watch a job until it ends; Ctrl-C does not stop the job."""
    forger = common.client(ctx)
    job = common.find_job(forger, id_)
    follow.follow(job)
    _print_augmentation(forger, job)


@group.command()
def save(
    ctx: typer.Context,
    id_: Which,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write into.")] = Path("artifacts"),
    kind: Annotated[str | None, typer.Option(help="Only this kind: shard, export, sample, evaluation.")] = None,
) -> None:
    """Save the files of a job; existing ones are not fetched again."""
    saved = common.find_job(common.client(ctx), id_).save_all(output, kind)
    typer.echo(f"{output}: {counted(len(saved), 'file')}")


@group.command()
def cancel(ctx: typer.Context, id_: Which) -> None:
    """Cancel a job at its next step."""
    forger = common.client(ctx)
    _print_state(forger, common.find_job(forger, id_).cancel())


@group.command()
def pause(ctx: typer.Context, id_: Which) -> None:
    """Save a job at its next step and free the device."""
    forger = common.client(ctx)
    _print_state(forger, common.find_job(forger, id_).pause())


@group.command()
def resume(ctx: typer.Context, id_: Which) -> None:
    """Resume a paused job."""
    forger = common.client(ctx)
    _print_state(forger, common.find_job(forger, id_).resume())


def extend(
    ctx: typer.Context,
    id_: Which,
    steps: Annotated[int, typer.Option(min=1, help="Number of additional steps.", show_default=False)],
    following: Annotated[bool, typer.Option("--follow", "-f", help="Watch until it ends.")] = False,
) -> None:
    """Extend a training by more steps: a learning-rate schedule continues over the new, longer budget."""
    forger = common.client(ctx)
    job = common.find_job(forger, id_).extend(steps)
    typer.echo(f"{job.id} goes on to step {job.reply.progress.total}, at {forger.url}.")
    if following:
        follow.follow(job)


@group.command()
def delete(ctx: typer.Context, id_: Which) -> None:
    """Delete a job that has ended, with all its files; published models stay."""
    forger = common.client(ctx)
    job = common.find_job(forger, id_)
    job.delete()
    typer.echo(f"{job.id} ({_described(job)}) is deleted at {forger.url}.")


def _print_state(forger: "Forger", job: "Job") -> None:
    typer.echo(f"{job.id} ({_described(job)}) is {job.state} at {forger.url}.")


def _described(job: "Job") -> str:
    """Describe a job, so that a person who wrote `last` sees which one was meant."""
    reply = job.reply
    return f"{reply.kind} {reply.family or 'a recipe'} on {reply.dataset}, {job.model or reply.model}"
