"""`forger experiment FILE.json` starts one; `forger experiments` lists, shows, cancels and deletes them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forger.cli import ask, tabled
from forger.cli.pictures import VALUES, by_ending, write, write_bytes
from forger.cli.refusals import Refusal
from forger.cli.tabled import Cell
from forger.cli.train import read_json
from forger.cli.watched import figure

if TYPE_CHECKING:
    from forger.client import Forger
    from forger.experiment import Experiment
    from forger.schemas.experiments import ExperimentDetail, MeasuredJob

group = typer.Typer(help="Requests that became many jobs: cases times seeds.")

TOLD = 5
"""jobs that did not succeed that are named"""
Which = Annotated[str, typer.Argument(metavar="ID", help="An id, its beginning or end, or `last`.", show_default=False)]


def experiment(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON, as POST /experiments takes it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which jobs there would be, or why not.")] = False,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Wait until every job has ended.")] = False,
    as_json: ask.AsJson = False,
) -> None:
    """Start an experiment: `forger experiment examples/experiments/objectives_on_ring8.json --follow`."""
    forger = ask.forger(ctx)
    asked = _read(file)
    if dry_run:
        _try(forger, asked, as_json=as_json)
        return
    made = forger.start_experiment(asked)
    if following:
        _follow(made, quiet=as_json)
    if as_json:
        ask.put_json(made.seen)
    elif following:
        _conclude(made.seen)
    else:
        typer.echo(f"{made.id} has {len(made.seen.jobs)} jobs: {len(made.seen.cases)} cases.")
        typer.echo(f"Watch it with: forger experiments follow {ask.end(made.id)}")


def _read(file: Path) -> dict[str, Any]:
    read = read_json(file)
    if not isinstance(read, dict):
        raise Refusal(f"{file} holds no experiment: it must be a JSON object.")
    return read


def _try(forger: "Forger", asked: dict[str, Any], *, as_json: bool) -> None:
    """Exit code 1 where it would be refused."""
    plan = forger.try_experiment(asked)
    if as_json:
        ask.put_json(plan)
    elif plan.refusals:
        for refused in plan.refusals:
            typer.echo(f"{refused.pointer or 'experiment'}: {refused.message}")
    else:
        rows = [(job.case, job.seed, job.family, job.dataset, job.model) for job in plan.jobs]
        ask.table(("CASE", "SEED", "FAMILY", "DATASET", "MODEL"), rows)
        if plan.minutes is not None:
            typer.echo(f"One after the other its jobs take {ask.lasting(60 * plan.minutes)}.")
        for note in plan.notes:
            typer.echo(note)
    if plan.refusals:
        raise typer.Exit(1)


def _follow(made: "Experiment", *, quiet: bool) -> None:
    """A line whenever jobs change their states. Ctrl-C leaves them training."""
    from forger.schemas import experiment_tables

    try:
        for seen in made.follow():
            if not quiet:
                typer.echo(experiment_tables.title(seen))
    except KeyboardInterrupt:
        typer.echo(f"{made.id} goes on. Watch it again with: forger experiments follow {ask.end(made.id)}")
        raise typer.Exit(130) from None


def _conclude(seen: "ExperimentDetail") -> None:
    """The table, and the next line to type; exit code 1 unless every job has succeeded."""
    put_table(seen)
    typer.echo(f"Draw it with: forger experiments show {ask.end(seen.id)} --out table.png")
    lost = [job for job in seen.jobs if job.state != "succeeded"]
    for job in lost[:TOLD]:
        typer.echo(f"{job.case}, seed {job.seed}, {job.state}: forger jobs show {job.id}", err=True)
    if lost:
        raise typer.Exit(1)


def put_table(seen: "ExperimentDetail") -> None:
    """By case the mean and spread of each figure."""
    from forger.schemas import experiment_tables

    rows = [
        [Cell(case), *(Cell(experiment_tables.words(cell), cell is not None and cell.best) for cell in cells)]
        for case, cells in experiment_tables.rows(seen)
    ]
    tabled.show(
        [name.upper() if name == "case" else name for name in experiment_tables.head(seen)],
        rows,
        experiment_tables.title(seen),
    )
    for note in experiment_tables.notes(seen):
        typer.echo(note)


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(ctx: typer.Context, as_json: ask.AsJson = False) -> None:
    """List experiments, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    known = [one for one, _ in zip(ask.forger(ctx).experiments(), range(ask.RECENT), strict=False)]
    if as_json:
        ask.put_json(known)
        return
    short = ask.short([one.id for one in known])
    rows = (
        (
            short[one.id],
            one.name,
            len(one.cases),
            sum(one.states.values()),
            _states(one.states),
            ask.when(one.created_at),
        )
        for one in known
    )
    ask.table(("ID", "NAME", "CASES", "JOBS", "STATES", "CREATED"), rows)


def _states(states: Any) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items())


@group.command(no_args_is_help=True)
def show(
    ctx: typer.Context,
    id_: Which,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the table instead: .png, or values as .csv or .parquet.")
    ] = None,
    as_json: ask.AsJson = False,
) -> None:
    """The table of an experiment: by case the mean and spread of each figure over the seeds."""
    found = find(ask.forger(ctx), id_)
    if out is not None:
        _write(found, out)
    elif as_json:
        ask.put_json(found.seen)
    else:
        put_table(found.seen)


def _write(found: "Experiment", out: Path) -> None:
    what = f"the table of {found.seen.name or found.id}"
    match by_ending(out, {"png": None, **VALUES}):
        case None:
            write(found.picture(), out, what)
        case format_:
            write_bytes(found.table(format_), out, what)


@group.command(no_args_is_help=True)
def jobs(
    ctx: typer.Context,
    id_: Which,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write them instead, a line for each figure (.csv, .parquet).")
    ] = None,
    as_json: ask.AsJson = False,
) -> None:
    """The jobs of an experiment, each with its own figures."""
    found = find(ask.forger(ctx), id_)
    if out is not None:
        format_ = by_ending(out, VALUES)
        write_bytes(found.table_of_jobs(format_), out, f"the jobs of {found.seen.name or found.id}")
    elif as_json:
        ask.put_json(found.measured())
    else:
        _put_jobs(found.measured())


def _put_jobs(found: "list[MeasuredJob]") -> None:
    """A figure of several provenances has a column for the first."""
    names = dict.fromkeys(one.name for job in found for one in job.figures)
    rows = []
    for job in found:
        values = {one.name: figure(one.value, 4) for one in reversed(job.figures)}
        own = (job.case, str(job.seed), ask.end(job.id), job.state, ask.health(job.health) or "")
        rows.append([Cell(word) for word in (*own, *(values.get(name, "-") for name in names))])
    tabled.show(["CASE", "SEED", "JOB", "STATE", "HEALTH", *names], rows)


@group.command("follow", no_args_is_help=True)
def follow_(ctx: typer.Context, id_: Which) -> None:
    """Wait until every job of an experiment has ended, then show its table; Ctrl-C leaves them training."""
    found = find(ask.forger(ctx), id_)
    _follow(found, quiet=False)
    _conclude(found.seen)


@group.command(no_args_is_help=True)
def cancel(ctx: typer.Context, id_: Which) -> None:
    """Cancel every job of an experiment that has not ended."""
    from forger.schemas import experiment_tables

    forger = ask.forger(ctx)
    typer.echo(f"{experiment_tables.title(find(forger, id_).cancel().seen)}, at {forger.url}.")


@group.command(no_args_is_help=True)
def delete(ctx: typer.Context, id_: Which) -> None:
    """Forget an experiment whose jobs have all ended; the jobs stay."""
    forger = ask.forger(ctx)
    found = find(forger, id_)
    found.delete()
    typer.echo(f"{found.id} is deleted at {forger.url}; its jobs stay.")


def find(forger: "Forger", word: str) -> "Experiment":
    """By id, by the beginning or end of an id that only one has, or `last` for the newest."""
    if ask.is_whole(word, "exp_"):
        return forger.experiment(word)
    known = [one.id for one, _ in zip(forger.experiments(), range(ask.RECENT), strict=False)]
    return forger.experiment(ask.pick(word, known, "experiment", "forger experiments"))
