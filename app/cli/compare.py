"""`forger compare`: jobs beside each other, as tables and as one picture."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import ask, complete, tabled
from app.cli.pictures import PNG, by_ending
from app.cli.refusals import Refusal
from app.cli.tabled import Cell

if TYPE_CHECKING:
    from app.client import Forger
    from app.schemas.compare import ComparedJob, ComparedSample, ComparisonOut, Ranking
    from data.plots import Picture

FIGURE = "figure/"
"""what names of curves begin with that are drawn of figures"""
IN_A_ROW = 16
POINTS = 1000
"""drawn of a model of points: few tell little"""


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
        _draw(forger, compared, out)
        typer.echo(
            f"{out}: {len(compared.jobs)} jobs, of the same noise where their latents have one shape", err=as_json
        )


def _print(compared: "ComparisonOut") -> None:
    from app.schemas import experiment_tables

    names = called(compared)
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
    from app.schemas import experiment_tables

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


def called(compared: "ComparisonOut") -> dict[str, str]:
    """A short name for each job's id: its case or family and seed; with the end of the id where two are called so."""
    names = {job.id: _name(job) for job in compared.jobs}
    plain = list(names.values())
    return {id_: name if plain.count(name) == 1 else f"{name} {ask.end(id_)}" for id_, name in names.items()}


def _name(job: "ComparedJob") -> str:
    return f"{(job.case or {}).get('name') or job.family or 'custom'}, seed {job.seed}"


def _draw(forger: "Forger", compared: "ComparisonOut", out: Path) -> None:
    from app.remote.files import write_whole
    from data import plots

    names = called(compared)
    samples = [
        (names[job.id], _noted(job), picture)
        for job, sample in zip(compared.jobs, compared.samples, strict=True)
        if (picture := _sample(forger, sample)) is not None
    ]
    curves = _curves(compared, names)
    if not samples and curves is None:
        raise Refusal("There is nothing to draw yet: none of the jobs has published a model or drawn a report.")
    write_whole(out, [plots.png(plots.sheet(samples, curves))])


def _noted(job: "ComparedJob") -> str:
    return f"{job.best.metric} {job.best.value:.4g} at step {job.best.step}" if job.best else ""


def _sample(forger: "Forger", sample: "ComparedSample") -> "Picture | None":
    """What the model draws of the noise that all are given; else the picture of the newest report."""
    if sample.href is None:
        return None if sample.report is None else forger.fetch(sample.report.href).image()
    return drawn(forger, sample.href)


def drawn(forger: "Forger", href: str) -> "Picture":
    """Pictures in a row, so that the same noise stands below itself; points and strings as they are shown."""
    import numpy as np
    from PIL import Image

    from data.images import sheet

    array = np.load(io.BytesIO(forger.fetch(f"{href}&format=npy").data), allow_pickle=False)
    if array.ndim == 4:
        row = sheet(array, columns=IN_A_ROW, gap=2)
        return Image.fromarray(row[..., 0] if row.shape[-1] == 1 else row)
    if array.dtype.kind == "f":
        href = href.replace(f"&n={IN_A_ROW}&", f"&n={POINTS}&")
    return forger.fetch(f"{href}&format=png").image()


def _curves(compared: "ComparisonOut", names: Mapping[str, str]) -> "Picture | None":
    """Of the figure that the jobs are watched by, the first that there is."""
    from data import plots

    declared = [f"{FIGURE}{job.metric}" for job in compared.jobs if job.metric]
    known = {curves.name: curves for curves in compared.curves}
    found = next((known[name] for name in declared if name in known), None)
    if found is None:
        return None
    return plots.plot(found.name.removeprefix(FIGURE), {names[curve.job]: curve.points for curve in found.jobs})
