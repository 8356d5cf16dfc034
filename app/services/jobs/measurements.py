"""Figures of jobs: grouped by how they were measured, ranked, and summarised over seeds.

A figure of a training job stands under the provenance of its watch, those of an evaluate job under its own. Two
figures are held against each other only where their provenance is the same.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.db.repositories import experiments, points
from app.services.jobs import confidence
from app.services.views import JobView
from forger.wire import TRAIN
from models.spec.games import Paired
from models.spec.recipe import Recipe
from models.spec.watch import FIGURES, FigureInfo

Json = dict[str, Any]
Better = Literal["low", "high"]
PREFIX = "figure/"
"""of the curves that evaluations inside training draw"""


class FigureHead:
    """What is known of a figure by its name and its provenance."""

    __slots__ = ()
    name: str
    provenance: Json

    @property
    def title(self) -> str:
        figure = _catalogued(self.name)
        return figure.title if figure else self.name

    @property
    def better(self) -> Better | None:
        """None for a figure of which it is not known."""
        figure = _catalogued(self.name)
        return figure.better if figure else None

    @property
    def told(self) -> str:
        """The provenance in a few words, for a line below a table."""
        shown = {name: value for name, value in self.provenance.items() if name not in ("by", "data")}
        plain = {name: value for name, value in shown.items() if value not in (None, "none")}
        by = "while training" if self.provenance.get("by") == "watch" else "evaluated"
        return ", ".join([by, *(f"{name} {value}" for name, value in plain.items())])

    @property
    def citation(self) -> str:
        """The line to cite it by: what it is, who brought it, on which data, and how it was measured."""
        return f"{self._cited()}; measured by Forger"

    def _cited(self) -> str:
        figure = _catalogued(self.name)
        source = f" ({figure.source})" if figure and figure.source else ""
        data = self.provenance.get("data", {}).get("dataset")
        how = self.told.replace("seed ", "evaluation seed ")
        own = (
            " (features of a small network that learned this dataset, not Inception's)" if "features own" in how else ""
        )
        return f"{self.title}{source}{f' on {data}' if data else ''}; {how}{own}"


def _catalogued(name: str) -> FigureInfo | None:
    """That of one direction of a translation is that of both."""
    return FIGURES.get(name.removesuffix("_a2b").removesuffix("_b2a"))


@dataclass(frozen=True, slots=True)
class Measured(FigureHead):
    """One figure of what `job` had learned at `step`. `source` measured it: the job itself, or one that evaluates."""

    job: str
    name: str
    value: float | None
    provenance: Json
    source: str
    step: int | None

    @property
    def citation(self) -> str:
        return f"{self._cited()}; measured by Forger, job {self.job} at step {self.step}"


@dataclass(frozen=True, slots=True)
class Group(FigureHead):
    """Figures of one name and one provenance: these may stand in one ranking."""

    name: str
    provenance: Json
    measured: tuple[Measured, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure of one case over its seeds: mean, sample standard deviation, and 95 % interval of the mean.

    Only the `n` values that were finite count.
    """

    case: str
    mean: float | None
    deviation: float | None
    interval: tuple[float, float] | None
    n: int
    best: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure of every case that has it, in the order of the cases."""

    group: Group
    cases: tuple[Spread, ...]


def of_jobs(session: Session, jobs: Sequence[JobView]) -> list[Measured]:
    """What is known of training jobs: at their best checkpoint, and by the evaluations of what they learned.

    Evaluations count only where they measured the step that the job published, of those with one provenance the
    newest.
    """
    by_id = {job.id: job for job in jobs}
    found = [one for job in jobs for one in _own(session, job)]
    evaluated = [
        one
        for row in experiments.evaluations(session, by_id)
        for one in _evaluated(by_id[row.source_job or ""], row.id, row.result or {})
        if one.step is not None and one.step == _published(by_id[one.job])
    ]
    last = {(one.job, one.name, key(one.provenance)): one for one in evaluated}
    return [*found, *last.values()]


def of_job(session: Session, job: JobView) -> list[Measured]:
    """What one job measured: a training of itself, with the evaluations of what it published; or an evaluation."""
    if job.kind == TRAIN:
        return of_jobs(session, [job])
    result = job.result
    if result is None:
        return []
    return _evaluated(job, job.id, {"figures": result.figures, "provenance": result.provenance or {}})


def _published(job: JobView) -> int | None:
    return job.result.step if job.result else None


def _own(session: Session, job: JobView) -> list[Measured]:
    figures, step = (job.result.figures, job.result.step) if job.result else ({}, None)
    if not figures and job.best is not None:
        step = int(job.best["step"])
        values = points.at(session, job.id, step)
        figures = {name.removeprefix(PREFIX): value for name, value in values.items() if name.startswith(PREFIX)}
    told = (job.result.provenance if job.result else None) or {}
    provenance = trained(job.recipe) | told
    return [Measured(job.id, name, value, provenance, job.id, step) for name, value in figures.items()]


def _evaluated(job: JobView, source: str, result: Mapping[str, Any]) -> list[Measured]:
    """The step is what was measured, and no part of how."""
    told = dict(result.get("provenance", {}))
    step = told.pop("step", None)
    provenance = {**_task(job.recipe), "by": "evaluation", **told}
    figures = result.get("figures", {})
    return [Measured(job.id, name, value, provenance, source, step) for name, value in figures.items()]


def trained(recipe: Recipe) -> Json:
    """What is known beforehand of the provenance of figures measured while training."""
    samples = {} if recipe.watch is None else {"n_fake": recipe.watch.samples}
    return {**_task(recipe), "by": "watch", **samples}


def _task(recipe: Recipe) -> Json:
    """The data, and of a picture made from another what was asked: figures of different tasks are different things."""
    game, data = recipe.game, recipe.data
    asked: Json = {}
    if game.kind != "synthesis" and data.kind not in ("points", "sequences"):
        asked = {"game": game.kind}
    if isinstance(game, Paired):
        asked |= game.model_dump(include={"task", "factor", "mask"})
    return {"data": data.model_dump(mode="json"), **asked}


def key(provenance: Mapping[str, Any]) -> str:
    """The same for the same provenance, whatever the order of its members."""
    return json.dumps(provenance, sort_keys=True)


def grouped(measured: Iterable[Measured]) -> list[Group]:
    """By name and provenance, in the order of the catalogue of figures, watches before evaluations."""
    groups: dict[tuple[str, str], list[Measured]] = {}
    for one in measured:
        groups.setdefault((one.name, key(one.provenance)), []).append(one)
    made = [Group(name, ones[0].provenance, tuple(ones)) for (name, _), ones in groups.items()]
    order = {name: place for place, name in enumerate(FIGURES)}
    return sorted(made, key=lambda group: (order.get(group.name, len(order)), group.name, _late(group.provenance)))


def _late(provenance: Mapping[str, Any]) -> tuple[bool, str]:
    return provenance.get("by") != "watch", key(provenance)


def ranked(group: Group) -> list[Measured]:
    """The better first; what is not finite last. In the order given where nobody says which way is better."""
    if group.better is None:
        return list(group.measured)
    return sorted(group.measured, key=lambda one: _worse(one.value, group.better))


def _worse(value: float | None, better: Better | None) -> float:
    """A key that is smaller the better the value is."""
    if value is None or not math.isfinite(value):
        return math.inf
    return -value if better == "high" else value


def summaries(measured: Iterable[Measured], case_of: Mapping[str, str]) -> list[Summary]:
    """By figure and provenance the spread of each case over its jobs; `case_of` is the case of each job's id."""
    return [_summary(group, case_of) for group in grouped(measured)]


def _summary(group: Group, case_of: Mapping[str, str]) -> Summary:
    values: dict[str, list[float]] = {}
    for one in group.measured:
        own = values.setdefault(case_of[one.job], [])
        if one.value is not None and math.isfinite(one.value):
            own.append(one.value)
    means = {case: fmean(own) for case, own in values.items() if own}
    best = min(means.values(), key=lambda mean: _worse(mean, group.better), default=None) if group.better else None
    differ = len(set(means.values())) > 1
    order = [case for case in dict.fromkeys(case_of.values()) if case in values]
    spreads = (_spread(case, values[case], differ and means.get(case) == best) for case in order)
    return Summary(group, tuple(spreads))


def _spread(case: str, values: Sequence[float], best: bool) -> Spread:
    mean = fmean(values) if values else None
    deviation = stdev(values) if len(values) > 1 else None
    return Spread(case, mean, deviation, confidence.interval(values), len(values), best and mean is not None)
