"""`forger compare`: jobs beside each other, as tables, and as the picture that the service draws."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import ask, complete, tabled
from forger.cli.pictures import PNG, by_ending
from forger.cli.refusals import Refusal
from forger.cli.tabled import Cell

if TYPE_CHECKING:
    from forger.schemas.compare import ComparisonOut, Ranking


def compare(
    ctx: typer.Context,
    ids: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Two jobs or more: ids, their ends.", autocompletion=complete.jobs),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also one picture: samples and curves.")] = None,
    as_json: ask.AsJson = False,
) -> None:
    """Compare jobs: `forger compare 1a2b3c4d 5e6f7a8b --out two.png`."""
    forger = ask.forger(ctx)
    if len(ids) < 2:
        raise Refusal("Name two jobs or more; `forger jobs` lists them.")
    if out is not None:
        by_ending(out, PNG)
    compared = forger.compare(*(ask.find_job(forger, word).id for word in ids))
    if as_json:
        ask.put_json(compared)
    else:
        _print(compared)
    if out is not None:
        picture = forger.compare_picture(*(job.id for job in compared.jobs))
        picture.save(out)
        typer.echo(
            f"{out}: {len(compared.jobs)} jobs, of the same noise where their latents have one shape", err=as_json
        )


def _print(compared: "ComparisonOut") -> None:
    from forger.schemas import experiment_tables

    names = experiment_tables.called(compared)
    jobs = [
        [Cell(name), *map(Cell, (job.id, job.dataset, job.state, str(job.step), job.model or "-"))]
        for name, job in zip(names.values(), compared.jobs, strict=True)
    ]
    tabled.show(("JOB", "ID", "DATASET", "STATE", "STEP", "MODEL"), jobs)
    head = list(names.values())
    rows = [[Cell(one.path), *(Cell(tabled.setting(value)) for value in one.values)] for one in compared.differences]
    if rows:
        tabled.show(["SETTING", *head], rows, "Where the recipes differ")
    else:
        typer.echo("The recipes are equal.")
    if not compared.figures:
        typer.echo("Nothing is measured yet: `forger evaluate` measures a model.")
        return
    labels = experiment_tables.labels(compared.figures)
    figures = [_row(label, one, names) for label, one in zip(labels, compared.figures, strict=True)]
    tabled.show(["FIGURE", *head], figures, "Figures, of the best checkpoints")
    _print_repeated(compared, labels, names)
    for note in experiment_tables.sources(compared.figures):
        typer.echo(note)


def _print_repeated(compared: "ComparisonOut", labels: list[str], names: Mapping[str, str]) -> None:
    """A column for each recipe that was trained with several seeds, where there is one."""
    from forger.schemas import experiment_tables

    found = [{cell.case: cell for cell in one.cases} for one in compared.figures]
    firsts = [job for job in names if any(job in cells for cells in found)]
    if not firsts:
        return
    rows = [
        [
            Cell(label),
            *(Cell(experiment_tables.words(cells.get(job)), job in cells and cells[job].best) for job in firsts),
        ]
        for label, cells in zip(labels, found, strict=True)
    ]
    tabled.show(["FIGURE", *(f"as {names[job]}" for job in firsts)], rows, "Over seeds")
    typer.echo(experiment_tables.READING)


def _row(label: str, ranking: "Ranking", names: Mapping[str, str]) -> list[Cell]:
    """A star at the best, where they are not all the same."""
    values = {one.job: one.value for one in ranking.jobs}
    finite = [one.value for one in ranking.jobs if one.value is not None]
    best = finite[0] if ranking.better and len(set(finite)) > 1 else math.nan
    cells = [Cell(_short(values[job]) if job in values else "-", values.get(job) == best) for job in names]
    return [Cell(label), *cells]


def _short(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"
