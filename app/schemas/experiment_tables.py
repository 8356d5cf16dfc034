"""The tables of an experiment: as words for a terminal or a picture, as columns for a file."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from app.core import tables
from app.core.states import TERMINAL
from app.core.tables import Table
from app.schemas.base import Json
from app.schemas.experiments import ExperimentDetail, FigureOut, MeasuredJob
from app.schemas.figures import CellOut
from app.schemas.jobs import Curve

ARROWS = {"low": " ↓", "high": " ↑"}
COLUMNS: Mapping[str, tables.Kind] = {
    "case": str, "figure": str, "better": str, "mean": float, "deviation": float, "interval_low": float,
    "interval_high": float, "n": int, "best": bool, "provenance": str,
}  # fmt: skip
OF_JOBS: Mapping[str, tables.Kind] = {
    "job": str, "case": str, "seed": int, "state": str, "step": int, "total": int, "model": str, "health": str,
    "trouble": str, "figure": str, "value": float, "measured_step": int, "source": str, "provenance": str,
}  # fmt: skip

READING = "Mean ± standard deviation [95 % confidence interval of the mean] (number of seeds)."


class Measured(Protocol):
    """What was measured in one way."""

    @property
    def provenance(self) -> Json: ...


class Column(Measured, Protocol):
    """One figure with one provenance, of an experiment or a comparison."""

    @property
    def name(self) -> str: ...
    @property
    def better(self) -> str | None: ...
    @property
    def told(self) -> str: ...


def labels(figures: Sequence[Column]) -> list[str]:
    """Names with an arrow to where they are better, and a mark where they come from different sources."""
    marks = _marks(figures)
    several = len(marks) > 1
    return [
        f"{figure.name}{f' [{marks[_key(figure)]}]' if several else ''}{ARROWS.get(figure.better or '', '')}"
        for figure in figures
    ]


def sources(figures: Sequence[Column]) -> list[str]:
    """A line for each provenance, with its mark where there are several."""
    told = {_key(figure): figure.told for figure in figures}
    if len(told) == 1:
        return [f"Measured {line}." for line in told.values()]
    return [f"[{mark}] {told[key]}" for key, mark in _marks(figures).items()]


def head(experiment: ExperimentDetail) -> list[str]:
    return ["case", *labels(experiment.figures)]


def rows(experiment: ExperimentDetail) -> list[tuple[str, list[CellOut | None]]]:
    """A line for each case, with its cell of each figure."""
    columns = [{cell.case: cell for cell in figure.cases} for figure in experiment.figures]
    return [(case, [column.get(case) for column in columns]) for case in experiment.cases]


def words(cell: CellOut | None) -> str:
    """`7.93 ± 0.12 [7.78, 8.08] (5)`: mean, standard deviation, interval of the mean, number of seeds."""
    if cell is None:
        return "–"
    if cell.mean is None:
        return "not finite"
    spread = "" if cell.deviation is None else f" ± {cell.deviation:.2g}"
    interval = "" if cell.interval is None else f" [{cell.interval[0]:.4g}, {cell.interval[1]:.4g}]"
    return f"{cell.mean:.4g}{spread}{interval} ({cell.n})"


def notes(experiment: ExperimentDetail) -> list[str]:
    """What stands below: how to read a cell, and where the figures come from."""
    if not experiment.figures:
        return [_unmeasured(experiment), *_troubles(experiment)]
    reading = f"{READING} The best mean of a column is marked."
    return [reading, *sources(experiment.figures), *_troubles(experiment)]


def _unmeasured(experiment: ExperimentDetail) -> str:
    if any(job.state not in TERMINAL for job in experiment.jobs):
        return "Nothing is measured yet."
    return "Nothing was measured: none of its jobs both succeeded and was watched."


def _troubles(experiment: ExperimentDetail) -> list[str]:
    """How many jobs of each case had which trouble."""
    kinds = Counter((job.case, job.health.kind) for job in experiment.jobs if job.health and job.health.kind)
    return [f"{case}: {kind} in {count} of its jobs." for (case, kind), count in sorted(kinds.items())]


def title(experiment: ExperimentDetail) -> str:
    states = ", ".join(f"{count} {state}" for state, count in experiment.states.items())
    return f"{experiment.name or experiment.id}: {states or 'no jobs'}"


def columns(experiment: ExperimentDetail) -> Table:
    """A line for each case and figure."""
    rows = [
        _line(figure, cell)
        for case in experiment.cases
        for figure in experiment.figures
        for cell in figure.cases
        if cell.case == case
    ]
    return Table(COLUMNS, rows)


def columns_of_jobs(jobs: Sequence[MeasuredJob]) -> Table:
    """A line for each figure of each job; one for a job that has none."""
    return Table(OF_JOBS, [line for job in jobs for line in _lines(job)])


def curves(found: Sequence[Curve]) -> Table:
    """A line for each point; `value` is empty where it was not finite."""
    rows = [(curve.name, step, value, curve.thinned) for curve in found for step, value in curve.points]
    return Table({"curve": str, "step": int, "value": float, "thinned": bool}, rows)


def _lines(job: MeasuredJob) -> list[tuple[object, ...]]:
    health, trouble = (job.health.state, job.health.kind) if job.health else (None, None)
    own = (job.id, job.case, job.seed, str(job.state), job.step, job.total, job.model, health, trouble)
    found: list[tuple[object, ...]] = [(one.name, one.value, one.step, one.source, _key(one)) for one in job.figures]
    return [own + figure for figure in found or [(None,) * 5]]


def _line(figure: FigureOut, cell: CellOut) -> tuple[object, ...]:
    low, high = cell.interval or (None, None)
    own = (cell.mean, cell.deviation, low, high, cell.n, cell.best)
    return cell.case, figure.name, figure.better, *own, _key(figure)


def _marks(figures: Sequence[Column]) -> dict[str, str]:
    """A letter for each provenance."""
    keys = dict.fromkeys(_key(figure) for figure in figures)
    return {key: chr(ord("a") + number % 26) for number, key in enumerate(keys)}


def _key(figure: Measured) -> str:
    return json.dumps(figure.provenance, sort_keys=True)
