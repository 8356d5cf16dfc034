"""Compare jobs for `forger compare`: as tables, and as the picture that the service draws."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import common, complete, printing
from forger.cli.pictures import PNG_ONLY, value_by_ending
from forger.cli.printing import Cell
from forger.cli.refusals import Refusal
from forger.text import setting_text

if TYPE_CHECKING:
    from forger.schemas.compare import ComparisonOut, Ranking


def compare(
    ctx: typer.Context,
    ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", help="Two jobs or more: their ids, or the ends of these.", autocompletion=complete.jobs
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also save a picture: samples and curves.")] = None,
    as_json: common.AsJson = False,
) -> None:
    """Compare jobs: `forger compare 1a2b3c4d 5e6f7a8b --out two.png`."""
    forger = common.client(ctx)
    if len(ids) < 2:
        raise Refusal("Name two jobs or more; `forger jobs` lists them.")
    if out is not None:
        value_by_ending(out, PNG_ONLY)
    compared = forger.compare(*(common.find_job(forger, word).id for word in ids))
    if as_json:
        printing.print_json(compared)
    else:
        _print(compared)
    if out is not None:
        picture = forger.compare_picture(*(job.id for job in compared.jobs))
        picture.save(out)
        typer.echo(
            f"{out}: {len(compared.jobs)} jobs, from the same noise if their latents have one shape", err=as_json
        )


def _print(compared: "ComparisonOut") -> None:
    from forger.schemas import experiment_tables

    names = experiment_tables.short_names(compared)
    jobs = [
        [Cell(name), *map(Cell, (job.id, job.dataset, job.state, str(job.step), job.model or "-"))]
        for name, job in zip(names.values(), compared.jobs, strict=True)
    ]
    printing.print_marked_table(("JOB", "ID", "DATASET", "STATE", "STEP", "MODEL"), jobs)
    head = list(names.values())
    rows = [[Cell(one.path), *(Cell(setting_text(value)) for value in one.values)] for one in compared.differences]
    if rows:
        printing.print_marked_table(["SETTING", *head], rows, "Where the recipes differ")
    else:
        typer.echo("The recipes are equal.")
    if not compared.figures:
        typer.echo("Nothing is measured yet: `forger evaluate` measures a model.")
        return
    labels = experiment_tables.labels(compared.figures)
    figures = [_row(label, one, names) for label, one in zip(labels, compared.figures, strict=True)]
    printing.print_marked_table(["FIGURE", *head], figures, "Figures, of the best checkpoints")
    _print_repeated(compared, labels, names)
    for note in experiment_tables.sources(compared.figures):
        typer.echo(note)


def _print_repeated(compared: "ComparisonOut", labels: list[str], names: Mapping[str, str]) -> None:
    """Print a column for each recipe that was trained with several seeds, if there is any."""
    from forger.schemas import experiment_tables

    cells_by_case = [{cell.case: cell for cell in one.cases} for one in compared.figures]
    firsts = [job for job in names if any(job in cells for cells in cells_by_case)]
    if not firsts:
        return
    rows = [
        [
            Cell(label),
            *(Cell(experiment_tables.cell_text(cells.get(job)), job in cells and cells[job].best) for job in firsts),
        ]
        for label, cells in zip(labels, cells_by_case, strict=True)
    ]
    printing.print_marked_table(["FIGURE", *(f"as {names[job]}" for job in firsts)], rows, "Over seeds")
    typer.echo(experiment_tables.READING_NOTE)


def _row(label: str, ranking: "Ranking", names: Mapping[str, str]) -> list[Cell]:
    """Return a figure's row, with the best value marked unless all are equal."""
    values = {one.job: one.value for one in ranking.jobs}
    finite = [one.value for one in ranking.jobs if one.value is not None]
    best = finite[0] if ranking.better and len(set(finite)) > 1 else math.nan
    cells = [Cell(_short(values[job]) if job in values else "-", values.get(job) == best) for job in names]
    return [Cell(label), *cells]


def _short(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"
