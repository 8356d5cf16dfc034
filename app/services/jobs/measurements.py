"""Figures of jobs: collect them, group them by name and provenance, rank them, and summarise them over seeds.

The provenance of a figure says how it was measured: by the watch of the training or by an evaluate job, on which data,
with how many samples. Two figures are compared only if their provenance is equal.
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


class FigureOfProvenance:
    """A base class with the facts that follow from a figure's name and provenance."""

    __slots__ = ()
    name: str
    provenance: Json

    @property
    def title(self) -> str:
        """The figure's title in the catalogue, or else its name."""
        figure = _catalogue_entry(self.name)
        return figure.title if figure else self.name

    @property
    def better(self) -> Better | None:
        """Whether low or high values are better; None if it is unknown."""
        figure = _catalogue_entry(self.name)
        return figure.better if figure else None

    @property
    def provenance_text(self) -> str:
        """The provenance in a few words, for a line below a table."""
        details = {name: value for name, value in self.provenance.items() if name not in ("by", "data")}
        set_ones = {name: value for name, value in details.items() if value not in (None, "none")}
        by = "while training" if self.provenance.get("by") == "watch" else "evaluated"
        return ", ".join([by, *(f"{name} {value}" for name, value in set_ones.items())])

    @property
    def citation(self) -> str:
        """The line to cite the figure by: its title, its paper, the dataset, and how it was measured."""
        return f"{self._cited()}; measured by Forger"

    def _cited(self) -> str:
        figure = _catalogue_entry(self.name)
        source = f" ({figure.source})" if figure and figure.source else ""
        data = self.provenance.get("data", {}).get("dataset")
        how = self.provenance_text.replace("seed ", "evaluation seed ")
        own_features = (
            " (features of a small network that learned this dataset, not Inception's)" if "features own" in how else ""
        )
        return f"{self.title}{source}{f' on {data}' if data else ''}; {how}{own_features}"


def _catalogue_entry(name: str) -> FigureInfo | None:
    """Return the figure's entry in the catalogue; figures of both directions of a translation share one."""
    return FIGURES.get(name.removesuffix("_a2b").removesuffix("_b2a"))


@dataclass(frozen=True, slots=True)
class MeasuredFigure(FigureOfProvenance):
    """A value of one figure, measured for `job` at `step`.

    `source` is the job that measured it: the training itself, or an evaluate job.
    """

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
class FigureGroup(FigureOfProvenance):
    """Figures of one name and one provenance, which may be ranked together."""

    name: str
    provenance: Json
    measured: tuple[MeasuredFigure, ...]


@dataclass(frozen=True, slots=True)
class CaseStatistics:
    """Statistics of a figure over the seeds of one case: mean, sample standard deviation, 95 % interval of the mean.

    Only the `n` finite values count. `best` says whether the case has the best mean.
    """

    case: str
    mean: float | None
    deviation: float | None
    interval: tuple[float, float] | None
    n: int
    best: bool


@dataclass(frozen=True, slots=True)
class FigureSummary:
    """A figure's statistics of every case that has it, in the order of the cases."""

    group: FigureGroup
    cases: tuple[CaseStatistics, ...]


def of_jobs(session: Session, jobs: Sequence[JobView]) -> list[MeasuredFigure]:
    """Return the figures of trainings: those of their watches, and those of evaluate jobs.

    Evaluations count only if they measured the step that the training published. Of several with one provenance the
    newest counts.
    """
    by_id = {job.id: job for job in jobs}
    trained = [one for job in jobs for one in _training_figures(session, job)]
    evaluated = [
        one
        for row in experiments.evaluations(session, by_id)
        for one in _evaluation_figures(by_id[row.source_job or ""], row.id, row.result or {})
        if one.step is not None and one.step == _published_step(by_id[one.job])
    ]
    last = {(one.job, one.name, provenance_key(one.provenance)): one for one in evaluated}
    return [*trained, *last.values()]


def of_job(session: Session, job: JobView) -> list[MeasuredFigure]:
    """Return the figures of one job; for a training, also those of evaluations of the version that it published."""
    if job.kind == TRAIN:
        return of_jobs(session, [job])
    result = job.result
    if result is None:
        return []
    return _evaluation_figures(job, job.id, {"figures": result.figures, "provenance": result.provenance or {}})


def _published_step(job: JobView) -> int | None:
    return job.result.step if job.result else None


def _training_figures(session: Session, job: JobView) -> list[MeasuredFigure]:
    figures, step = (job.result.figures, job.result.step) if job.result else ({}, None)
    if not figures and job.best is not None:
        step = int(job.best["step"])
        figures = points.figures(points.at(session, job.id, step))
    reported = (job.result.provenance if job.result else None) or {}
    provenance = watch_provenance(job.recipe) | reported
    return [MeasuredFigure(job.id, name, value, provenance, job.id, step) for name, value in figures.items()]


def _evaluation_figures(job: JobView, source: str, result: Mapping[str, Any]) -> list[MeasuredFigure]:
    """Return the figures of an evaluation of `job`. The measured step is no part of the provenance."""
    reported = dict(result.get("provenance", {}))
    step = reported.pop("step", None)
    provenance = {**_task_provenance(job.recipe), "by": "evaluation", **reported}
    figures = result.get("figures", {})
    return [MeasuredFigure(job.id, name, value, provenance, source, step) for name, value in figures.items()]


def watch_provenance(recipe: Recipe) -> Json:
    """Return the provenance of figures measured during a training, as far as the recipe determines it."""
    samples = {} if recipe.watch is None else {"n_fake": recipe.watch.samples}
    return {**_task_provenance(recipe), "by": "watch", **samples}


def _task_provenance(recipe: Recipe) -> Json:
    """Return the data and, if pictures are made from pictures, the task: figures of different tasks differ."""
    game, data = recipe.game, recipe.data
    task: Json = {}
    if game.kind != "synthesis" and data.kind not in ("points", "sequences"):
        task = {"game": game.kind}
    if isinstance(game, Paired):
        task |= game.model_dump(include={"task", "factor", "mask"})
    return {"data": data.model_dump(mode="json"), **task}


def provenance_key(provenance: Mapping[str, Any]) -> str:
    """Return a string that is equal for equal provenances; the order of the members does not matter."""
    return json.dumps(provenance, sort_keys=True)


def group_figures(measured: Iterable[MeasuredFigure]) -> list[FigureGroup]:
    """Group figures by name and provenance, in the order of the catalogue of figures, watches before evaluations."""
    groups: dict[tuple[str, str], list[MeasuredFigure]] = {}
    for one in measured:
        groups.setdefault((one.name, provenance_key(one.provenance)), []).append(one)
    result = [FigureGroup(name, ones[0].provenance, tuple(ones)) for (name, _), ones in groups.items()]
    order = {name: place for place, name in enumerate(FIGURES)}
    return sorted(
        result, key=lambda group: (order.get(group.name, len(order)), group.name, _provenance_order(group.provenance))
    )


def _provenance_order(provenance: Mapping[str, Any]) -> tuple[bool, str]:
    return provenance.get("by") != "watch", provenance_key(provenance)


def rank_figures(group: FigureGroup) -> list[MeasuredFigure]:
    """Sort a group's figures, the best first and the not finite last; keep the order if `better` is unknown."""
    if group.better is None:
        return list(group.measured)
    return sorted(group.measured, key=lambda one: _rank_key(one.value, group.better))


def _rank_key(value: float | None, better: Better | None) -> float:
    """Return a sort key, which is smaller for a better value."""
    if value is None or not math.isfinite(value):
        return math.inf
    return -value if better == "high" else value


def summarise(measured: Iterable[MeasuredFigure], case_of: Mapping[str, str]) -> list[FigureSummary]:
    """Compute the statistics of each case over its jobs, by figure and provenance; `case_of` maps job ids to cases."""
    return [_summarise(group, case_of) for group in group_figures(measured)]


def _summarise(group: FigureGroup, case_of: Mapping[str, str]) -> FigureSummary:
    values: dict[str, list[float]] = {}
    for one in group.measured:
        of_case = values.setdefault(case_of[one.job], [])
        if one.value is not None and math.isfinite(one.value):
            of_case.append(one.value)
    means = {case: fmean(of_case) for case, of_case in values.items() if of_case}
    best = min(means.values(), key=lambda mean: _rank_key(mean, group.better), default=None) if group.better else None
    differ = len(set(means.values())) > 1
    order = [case for case in dict.fromkeys(case_of.values()) if case in values]
    statistics = (_statistics(case, values[case], differ and means.get(case) == best) for case in order)
    return FigureSummary(group, tuple(statistics))


def _statistics(case: str, values: Sequence[float], best: bool) -> CaseStatistics:
    mean = fmean(values) if values else None
    deviation = stdev(values) if len(values) > 1 else None
    return CaseStatistics(case, mean, deviation, confidence.interval(values), len(values), best and mean is not None)
