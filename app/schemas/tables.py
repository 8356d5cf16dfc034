"""The table of an experiment as words: for a terminal, a picture, or a file of comma-separated values."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence

from app.schemas.experiments import CellOut, ExperimentDetail, FigureOut

ARROWS = {"low": " ↓", "high": " ↑"}
COLUMNS = ("case", "figure", "better", "mean", "deviation", "n", "best", "provenance")


def head(experiment: ExperimentDetail) -> list[str]:
    """Of the columns: the case, and each figure with an arrow to where it is better."""
    marks, named = _marks(experiment.figures), Counter(figure.name for figure in experiment.figures)
    return ["case", *(_label(figure, marks if named[figure.name] > 1 else {}) for figure in experiment.figures)]


def _label(figure: FigureOut, marks: dict[str, str]) -> str:
    mark = marks.get(_key(figure))
    return f"{figure.name}{f' [{mark}]' if mark else ''}{ARROWS.get(figure.better or '', '')}"


def rows(experiment: ExperimentDetail) -> list[tuple[str, list[CellOut | None]]]:
    """A line for each case, with its cell of each figure."""
    columns = [{cell.case: cell for cell in figure.cases} for figure in experiment.figures]
    return [(case, [column.get(case) for column in columns]) for case in experiment.cases]


def words(cell: CellOut | None) -> str:
    """`7.93 ± 0.12 (5)`: mean, standard deviation, number of seeds."""
    if cell is None:
        return "–"
    if cell.mean is None:
        return "not finite"
    spread = "" if cell.deviation is None else f" ± {cell.deviation:.2g}"
    return f"{cell.mean:.4g}{spread} ({cell.n})"


def notes(experiment: ExperimentDetail) -> list[str]:
    """What stands below: how to read a cell, and where the figures come from."""
    said = dict.fromkeys((_key(figure), figure.told) for figure in experiment.figures)
    marks = _marks(experiment.figures)
    several = len(said) > 1
    told = [f"[{marks[key]}] {line}" if several else f"Measured {line}." for key, line in said]
    reading = "Mean ± standard deviation (number of seeds); the best mean of a column is marked."
    return [reading, *told] if said else ["Nothing is measured yet."]


def title(experiment: ExperimentDetail) -> str:
    states = ", ".join(f"{count} {state}" for state, count in experiment.states.items())
    return f"{experiment.name or experiment.id}: {states or 'no jobs'}"


def csv_text(experiment: ExperimentDetail) -> str:
    """A line for each case and figure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(COLUMNS)
    for case in experiment.cases:
        for figure in experiment.figures:
            for cell in figure.cases:
                if cell.case == case:
                    writer.writerow(_line(figure, cell))
    return out.getvalue()


def _line(figure: FigureOut, cell: CellOut) -> tuple[object, ...]:
    provenance = json.dumps(figure.provenance, sort_keys=True)
    best = "yes" if cell.best else ""
    return cell.case, figure.name, figure.better, cell.mean, cell.deviation, cell.n, best, provenance


def _marks(figures: Sequence[FigureOut]) -> dict[str, str]:
    """A letter for each provenance."""
    keys = dict.fromkeys(_key(figure) for figure in figures)
    return {key: chr(ord("a") + number % 26) for number, key in enumerate(keys)}


def _key(figure: FigureOut) -> str:
    return json.dumps(figure.provenance, sort_keys=True)
