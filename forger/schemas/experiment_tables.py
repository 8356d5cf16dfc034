"""Format the table of an experiment, and figures of a comparison, as text for a terminal or a picture."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from forger.schemas.base import Json
from forger.schemas.compare import ComparedJob, ComparisonOut
from forger.schemas.experiments import ExperimentDetail
from forger.schemas.figures import CellOut
from forger.wire import ID_SUFFIX_LENGTH, TERMINAL

ARROWS = {"low": " ↓", "high": " ↑"}


READING_NOTE = "Mean ± standard deviation [95 % confidence interval of the mean] (number of seeds)."


class Measured(Protocol):
    """Anything with a provenance: figures of one provenance were measured in the same way."""

    @property
    def provenance(self) -> Json: ...


class Column(Measured, Protocol):
    """One figure with one provenance: a column of an experiment or a row of a comparison."""

    @property
    def name(self) -> str: ...
    @property
    def better(self) -> str | None: ...
    @property
    def told(self) -> str: ...


def labels(figures: Sequence[Column]) -> list[str]:
    """Return names with an arrow in the better direction, and a mark if there are several provenances."""
    marks = _marks(figures)
    several = len(marks) > 1
    return [
        f"{figure.name}{f' [{marks[provenance_key(figure)]}]' if several else ''}{ARROWS.get(figure.better or '', '')}"
        for figure in figures
    ]


def sources(figures: Sequence[Column]) -> list[str]:
    """Return a line for each provenance, with its mark if there are several."""
    by_key = {provenance_key(figure): figure.told for figure in figures}
    if len(by_key) == 1:
        return [f"Measured {line}." for line in by_key.values()]
    return [f"[{mark}] {by_key[key]}" for key, mark in _marks(figures).items()]


def head(experiment: ExperimentDetail) -> list[str]:
    return ["case", *labels(experiment.figures)]


def rows(experiment: ExperimentDetail) -> list[tuple[str, list[CellOut | None]]]:
    """Return a line for each case, with its cell of each figure."""
    columns = [{cell.case: cell for cell in figure.cases} for figure in experiment.figures]
    return [(case, [column.get(case) for column in columns]) for case in experiment.cases]


def cell_text(cell: CellOut | None) -> str:
    """Return `7.93 ± 0.12 [7.78, 8.08] (5)`: mean, standard deviation, interval of the mean, number of seeds."""
    if cell is None:
        return "–"
    if cell.mean is None:
        return "not finite"
    spread = "" if cell.deviation is None else f" ± {cell.deviation:.2g}"
    interval = "" if cell.interval is None else f" [{cell.interval[0]:.4g}, {cell.interval[1]:.4g}]"
    return f"{cell.mean:.4g}{spread}{interval} ({cell.n})"


def notes(experiment: ExperimentDetail) -> list[str]:
    """Return the notes below the table: how to read a cell, where the figures come from, troubles."""
    if not experiment.figures:
        return [_unmeasured(experiment), *_troubles(experiment)]
    reading = f"{READING_NOTE} The best mean of a column is marked."
    return [reading, *sources(experiment.figures), *_troubles(experiment)]


def _unmeasured(experiment: ExperimentDetail) -> str:
    if any(job.state not in TERMINAL for job in experiment.jobs):
        return "Nothing is measured yet."
    return "Nothing was measured: none of its jobs both succeeded and was watched."


def _troubles(experiment: ExperimentDetail) -> list[str]:
    """Return a sentence for each trouble of a case, with the number of jobs."""
    kinds = Counter((job.case, job.health.kind) for job in experiment.jobs if job.health and job.health.kind)
    return [f"{case}: {kind} in {count} of its jobs." for (case, kind), count in sorted(kinds.items())]


def title(experiment: ExperimentDetail) -> str:
    states = ", ".join(f"{count} {state}" for state, count in experiment.states.items())
    return f"{experiment.name or experiment.id}: {states or 'no jobs'}"


def _marks(figures: Sequence[Column]) -> dict[str, str]:
    """Return a letter for each provenance, by its key."""
    keys = dict.fromkeys(provenance_key(figure) for figure in figures)
    return {provenance_key: chr(ord("a") + number % 26) for number, provenance_key in enumerate(keys)}


def provenance_key(figure: Measured) -> str:
    """Return the provenance as text: figures with equal keys were measured in the same way."""
    return json.dumps(figure.provenance, sort_keys=True)


def short_names(compared: ComparisonOut) -> dict[str, str]:
    """Return a short name by job id: case or family, and seed; with the end of the id if two names are equal."""
    names = {job.id: _name(job) for job in compared.jobs}
    plain = list(names.values())
    return {id_: name if plain.count(name) == 1 else f"{name} {id_[-ID_SUFFIX_LENGTH:]}" for id_, name in names.items()}


def _name(job: ComparedJob) -> str:
    return f"{(job.case or {}).get('name') or job.family or 'custom'}, seed {job.seed}"
