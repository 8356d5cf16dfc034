"""Run `forger experiment FILE.json` and `forger experiments`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forger.cli import common, printing
from forger.cli.pictures import TABLE_FORMATS, save_bytes, save_picture, value_by_ending
from forger.cli.printing import Cell
from forger.cli.refusals import Refusal
from forger.cli.train import read_json
from forger.text import counted, health_word, rounded

if TYPE_CHECKING:
    from forger.client import Forger
    from forger.experiment import Experiment
    from forger.schemas.experiments import ExperimentDetail, MeasuredJob

group = typer.Typer(help="List, show, cancel and delete experiments: many jobs, cases times seeds.")

MAX_NAMED_JOBS = 5
"""unsuccessful jobs that are named"""
Which = Annotated[str, typer.Argument(metavar="ID", help="An id, its beginning or end, or `last`.", show_default=False)]


def experiment(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON, a body of POST /experiments.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the planned jobs, or the refusals.")] = False,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Wait until every job has ended.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Start an experiment: `forger experiment examples/experiments/objectives_on_ring8.json --follow`."""
    forger = common.client(ctx)
    body = _read(file)
    if dry_run:
        _dry_run(forger, body, as_json=as_json)
        return
    experiment = forger.start_experiment(body)
    if following:
        _follow(experiment, quiet=as_json)
    if as_json:
        printing.print_json(experiment.reply)
    elif following:
        _conclude(experiment.reply)
    else:
        jobs, cases = counted(len(experiment.reply.jobs), "job"), counted(len(experiment.reply.cases), "case")
        typer.echo(f"{experiment.id} has {jobs}: {cases}.")
        typer.echo(f"Watch it with: forger experiments follow {common.id_suffix(experiment.id)}")


def _read(file: Path) -> dict[str, Any]:
    read = read_json(file)
    if not isinstance(read, dict):
        raise Refusal(f"{file} holds no experiment: it must be a JSON object.")
    return read


def _dry_run(forger: "Forger", body: dict[str, Any], *, as_json: bool) -> None:
    """Print the plan of the experiment; exit code 1 if it is refused."""
    plan = forger.try_experiment(body)
    if as_json:
        printing.print_json(plan)
    elif plan.refusals:
        for refused in plan.refusals:
            typer.echo(f"{refused.pointer or 'experiment'}: {refused.message}")
    else:
        rows = [(job.case, job.seed, job.family, job.dataset, job.model) for job in plan.jobs]
        printing.print_table(("CASE", "SEED", "FAMILY", "DATASET", "MODEL"), rows)
        if plan.minutes is not None:
            typer.echo(f"One after the other its jobs take {printing.duration_words(60 * plan.minutes)}.")
        for note in plan.notes:
            typer.echo(note)
    if plan.refusals:
        raise typer.Exit(1)


def _follow(experiment: "Experiment", *, quiet: bool) -> None:
    """Print a line whenever jobs change their states. Ctrl-C does not stop the jobs."""
    from forger.schemas import experiment_tables

    try:
        for reply in experiment.follow():
            if not quiet:
                typer.echo(experiment_tables.title(reply))
    except KeyboardInterrupt:
        typer.echo(
            f"{experiment.id} goes on. Watch it again with: forger experiments follow {common.id_suffix(experiment.id)}"
        )
        raise typer.Exit(130) from None


def _conclude(reply: "ExperimentDetail") -> None:
    """Print the table and the next command; exit code 1 unless every job has succeeded."""
    print_experiment(reply)
    typer.echo(f"Draw it with: forger experiments show {common.id_suffix(reply.id)} --out table.png")
    lost = [job for job in reply.jobs if job.state != "succeeded"]
    for job in lost[:MAX_NAMED_JOBS]:
        typer.echo(f"{job.case}, seed {job.seed}, {job.state}: forger jobs show {job.id}", err=True)
    if lost:
        raise typer.Exit(1)


def print_experiment(reply: "ExperimentDetail") -> None:
    """Print the mean and spread of each figure by case."""
    from forger.schemas import experiment_tables

    rows = [
        [Cell(case), *(Cell(experiment_tables.cell_text(cell), cell is not None and cell.best) for cell in cells)]
        for case, cells in experiment_tables.rows(reply)
    ]
    printing.print_marked_table(
        [name.upper() if name == "case" else name for name in experiment_tables.head(reply)],
        rows,
        experiment_tables.title(reply),
    )
    for note in experiment_tables.notes(reply):
        typer.echo(note)


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(ctx: typer.Context, as_json: common.AsJson = False) -> None:
    """List experiments, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    experiments = [
        entry for entry, _ in zip(common.client(ctx).experiments(), range(common.MAX_SEARCHED), strict=False)
    ]
    if as_json:
        printing.print_json(experiments)
        return
    short = common.short_ids([entry.id for entry in experiments])
    rows = (
        (
            short[entry.id],
            entry.name,
            len(entry.cases),
            sum(entry.states.values()),
            _states(entry.states),
            printing.local_time(entry.created_at),
        )
        for entry in experiments
    )
    printing.print_table(("ID", "NAME", "CASES", "JOBS", "STATES", "CREATED"), rows)


def _states(states: Any) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items())


@group.command(no_args_is_help=True)
def show(
    ctx: typer.Context,
    id_: Which,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Save the table instead: as .png, or its values as .csv or .parquet."),
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Show an experiment's table: by case the mean and spread of each figure over the seeds."""
    experiment = find_experiment(common.client(ctx), id_)
    if out is not None:
        _write(experiment, out)
    elif as_json:
        printing.print_json(experiment.reply)
    else:
        print_experiment(experiment.reply)


def _write(experiment: "Experiment", out: Path) -> None:
    what = f"the table of {experiment.reply.name or experiment.id}"
    match value_by_ending(out, {"png": None, **TABLE_FORMATS}):
        case None:
            save_picture(experiment.picture(), out, what)
        case format_:
            save_bytes(experiment.table(format_), out, what)


@group.command(no_args_is_help=True)
def jobs(
    ctx: typer.Context,
    id_: Which,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Save them instead, a line for each figure (.csv, .parquet).")
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Show the jobs of an experiment with their figures."""
    experiment = find_experiment(common.client(ctx), id_)
    if out is not None:
        format_ = value_by_ending(out, TABLE_FORMATS)
        save_bytes(experiment.table_of_jobs(format_), out, f"the jobs of {experiment.reply.name or experiment.id}")
    elif as_json:
        printing.print_json(experiment.measured())
    else:
        _print_jobs(experiment.measured())


def _print_jobs(jobs: "list[MeasuredJob]") -> None:
    """Print jobs with their figures; of several provenances of a figure the first is shown."""
    names = dict.fromkeys(one.name for job in jobs for one in job.figures)
    rows = []
    for job in jobs:
        values = {one.name: rounded(one.value, 4) for one in reversed(job.figures)}
        columns = (job.case, str(job.seed), common.id_suffix(job.id), job.state, health_word(job.health) or "")
        rows.append([Cell(word) for word in (*columns, *(values.get(name, "-") for name in names))])
    printing.print_marked_table(["CASE", "SEED", "JOB", "STATE", "HEALTH", *names], rows)


@group.command("follow", no_args_is_help=True)
def follow_(ctx: typer.Context, id_: Which) -> None:
    """Wait until every job of an experiment has ended, then show its table; Ctrl-C does not stop the jobs."""
    experiment = find_experiment(common.client(ctx), id_)
    _follow(experiment, quiet=False)
    _conclude(experiment.reply)


@group.command(no_args_is_help=True)
def cancel(ctx: typer.Context, id_: Which) -> None:
    """Cancel every job of an experiment that has not ended."""
    from forger.schemas import experiment_tables

    forger = common.client(ctx)
    typer.echo(f"{experiment_tables.title(find_experiment(forger, id_).cancel().reply)}, at {forger.url}.")


@group.command(no_args_is_help=True)
def delete(ctx: typer.Context, id_: Which) -> None:
    """Delete an experiment whose jobs have all ended; the jobs stay."""
    forger = common.client(ctx)
    experiment = find_experiment(forger, id_)
    experiment.delete()
    typer.echo(f"{experiment.id} is deleted at {forger.url}; its jobs stay.")


def find_experiment(forger: "Forger", word: str) -> "Experiment":
    """Return the experiment with this id, this unique beginning or end of one, or the newest for `last`."""
    if common.is_full_id(word, "exp_"):
        return forger.experiment(word)
    experiments = [one.id for one, _ in zip(forger.experiments(), range(common.MAX_SEARCHED), strict=False)]
    return forger.experiment(common.match_id(word, experiments, "experiment", "forger experiments"))
