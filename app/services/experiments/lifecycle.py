"""Experiments: create many trainings by one request, and summarise their figures over the seeds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldError, Invalid, NotFound, invalid_request
from app.core.ids import is_id, new_id
from app.core.limits import MAX_REPORTED_ERRORS
from app.core.settings import link
from app.db.repositories import experiments as rows
from app.db.session import unit_of_work
from app.db.tables import Experiment
from app.services import queue, views
from app.services.capacity import admission, durations, estimates
from app.services.capacity.durations import DurationHistory
from app.services.creation import train
from app.services.experiments.grid import Case, cases_of, model_name, seeds_of
from app.services.idempotency import RecordReply
from app.services.job_spec import Train
from app.services.jobs import lifecycle, measurements
from app.services.jobs.measurements import CaseStatistics, FigureOfProvenance, FigureSummary, MeasuredFigure
from app.services.views import JobView
from forger.wire import TERMINAL, JobState

Json = dict[str, Any]
UNNAMED_CASE = "case"


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """One job of an experiment before it is created."""

    case: Case
    seed: int
    spec: Train


@dataclass(frozen=True, slots=True)
class Member:
    """A job as its experiment shows it."""

    id: str
    case: str
    seed: int
    state: JobState
    step: int
    total: int
    model: str | None
    health: Json | None
    href: str


@dataclass(frozen=True, slots=True)
class TableColumn(FigureOfProvenance):
    """A column of the experiment's table: the statistics of one figure with one provenance, by case."""

    name: str
    provenance: Json
    cases: tuple[CaseStatistics, ...]


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """An experiment at one moment; in a list its jobs and figures are omitted."""

    id: str
    name: str | None
    request: Json
    created_at: float
    states: dict[JobState, int]
    cases: list[str]
    jobs: tuple[Member, ...] = ()
    figures: tuple[TableColumn, ...] = ()


def plan(
    *,
    name: str | None,
    recipe: str | Json | None,
    dataset: str | None,
    budget: Json | None,
    overrides: Json | None,
    cases: Sequence[Json] | None,
    grid: Mapping[str, Any] | None,
    seeds: int | Sequence[int],
    model: str | None,
) -> list[MemberPlan]:
    """Plan every job; the first seed of all cases comes first. Raises Invalid with the refusals of all cases."""
    expanded = cases_of(recipe, overrides, cases, grid)
    chosen = seeds_of(seeds, len(expanded))
    history = durations.read_history()
    specs: list[tuple[Case, Train]] = []
    refusals: dict[tuple[str, str], list[str]] = {}
    for case in expanded:
        try:
            planned = train.plan(
                case.recipe,
                dataset=dataset,
                seed=chosen[0],
                budget=None if case.has_budget else budget,
                overrides=case.overrides,
                history=history,
            )
            specs.append(
                (case, _with_model_name(planned.spec, case, model or name, alone=len(expanded) == 1 and cases is None))
            )
        except Invalid as error:
            for field in error.errors:
                refusals.setdefault((case.client_pointer(field.pointer), field.message), []).append(case.name)
            if len(refusals) >= MAX_REPORTED_ERRORS:  # a reply lists no more
                break
    if refusals:
        raise _refusal(refusals, len(expanded))
    specs = _with_equal_samples(specs)
    return [MemberPlan(case, seed, _with_changes(spec, seed=seed)) for seed in chosen for case, spec in specs]


def takes_s(planned: Sequence[MemberPlan]) -> float | None:
    """Return the seconds that all jobs take one after the other; None if the duration of one is unknown."""
    history = durations.read_history()
    estimates_s = [history.estimate(one.spec.recipe, one.spec.family).takes_s for one in planned]
    known_s = [seconds for seconds in estimates_s if seconds is not None]
    return sum(known_s) if len(known_s) == len(estimates_s) else None


def notes(planned: Sequence[MemberPlan]) -> list[str]:
    """Return the notes on all jobs, each once, with the names of its cases unless it is about all."""
    cases_of_note: dict[str, dict[str, None]] = {}
    for one in planned:
        for note in train.notes(one.spec.recipe):
            cases_of_note.setdefault(note, {})[one.case.name] = None
    cases = {one.case.name for one in planned}
    return [
        note if len(named) == len(cases) else f"{', '.join(named)}: {note}" for note, named in cases_of_note.items()
    ]


def _with_equal_samples(specs: Sequence[tuple[Case, Train]]) -> list[tuple[Case, Train]]:
    """Give all default watches the number of samples of the smallest: figures of other numbers are not comparable."""
    watches = [spec.recipe.watch for case, spec in specs if _has_default_watch(case)]
    samples = min((watch.samples for watch in watches if watch is not None), default=None)
    if samples is None:
        return list(specs)
    return [(case, _with_samples(spec, samples) if _has_default_watch(case) else spec) for case, spec in specs]


def _has_default_watch(case: Case) -> bool:
    return isinstance(case.recipe, str) and "watch" not in (case.overrides or {})


def _with_samples(spec: Train, samples: int) -> Train:
    watch = spec.recipe.watch
    return spec if watch is None else _with_changes(spec, watch=watch.model_copy(update={"samples": samples}))


def _with_model_name(spec: Train, case: Case, stem: str | None, *, alone: bool) -> Train:
    """Set the model that the case's jobs publish; each seed is a version of it."""
    if alone:
        return spec if stem is None else spec.model_copy(update={"model_name": stem})
    return spec.model_copy(update={"model_name": model_name(stem or spec.model_name, case.name)})


def _with_changes(spec: Train, **changed: Any) -> Train:
    return spec.model_copy(update={"recipe": spec.recipe.model_copy(update=changed)})


def _refusal(refusals: Mapping[tuple[str, str], Sequence[str]], cases: int) -> Invalid:
    """Return the error with all refusals, each with the names of its cases unless it is about all."""
    errors = tuple(
        FieldError(pointer, message if len(names) == cases else f"{', '.join(names)}: {message}")
        for (pointer, message), names in refusals.items()
    )
    return invalid_request("The experiment was refused.", errors, "experiment_refused")


def create(
    name: str | None, request: Json, planned: Sequence[MemberPlan], record_reply: RecordReply | None = None
) -> ExperimentView:
    """Create the experiment with all its jobs in one transaction. Raises Busy, NoRoom, Conflict."""
    experiment_id = new_id("exp")
    stored_bytes = [estimates.estimate(one.spec.recipe, one.spec.devices).disk_bytes for one in planned]
    with unit_of_work() as session:
        admission.admit(session, jobs=len(planned), stored=sum(stored_bytes))
        rows.add(session, experiment_id, name=name, request=request)
        history = DurationHistory(session)
        job_ids = [
            _insert(session, experiment_id, one, stored, history)
            for one, stored in zip(planned, stored_bytes, strict=True)
        ]
        if record_reply is not None:
            record_reply(session, experiment_id)
    for job_id in job_ids:
        if not queue.ring(job_id):  # the reaper rings for the others too
            break
    return get(experiment_id)


def _insert(session: Session, experiment_id: str, one: MemberPlan, stored: int, history: DurationHistory) -> str:
    job_id = new_id("job")
    lifecycle.insert(
        session,
        job_id,
        one.spec,
        stored_bytes=stored,
        history=history,
        experiment_id=experiment_id,
        case={"name": one.case.name, "settings": one.case.settings},
    )
    return job_id


def get(experiment_id: str) -> ExperimentView:
    """Return the experiment with its jobs and its table. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = _require(session, experiment_id)
        members, measured = _jobs_and_figures(session, experiment_id)
    case_of = {job.id: case_name(job.case) for job in members}
    table = measurements.summarise(measured, case_of)
    return ExperimentView(
        id=row.id,
        name=row.name,
        request=row.request,
        created_at=row.created_at,
        states=dict(Counter(job.state for job in members)),
        cases=list(dict.fromkeys(case_of.values())),
        jobs=tuple(_member(job) for job in members),
        figures=tuple(_table_column(summary) for summary in table),
    )


def figures_of_jobs(experiment_id: str) -> list[tuple[Member, list[MeasuredFigure]]]:
    """Return each job with its figures, from which the table is computed. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        _require(session, experiment_id)
        members, measured = _jobs_and_figures(session, experiment_id)
    figures: dict[str, list[MeasuredFigure]] = {job.id: [] for job in members}
    for one in measured:
        figures[one.job].append(one)
    return [(_member(job), figures[job.id]) for job in members]


def _jobs_and_figures(session: Session, experiment_id: str) -> tuple[list[JobView], list[MeasuredFigure]]:
    """Return all jobs of the experiment, and the figures of those that have succeeded."""
    members = [views.job(job) for job in rows.jobs(session, experiment_id)]
    done = [job for job in members if job.state == JobState.SUCCEEDED]
    return members, measurements.of_jobs(session, done)


def page(limit: int, after: str | None) -> tuple[list[ExperimentView], str | None]:
    """Return a page of experiments, newest first, and the cursor of the next page if there is one."""
    with unit_of_work(read_only=True) as session:
        listed = rows.page(session, limit + 1, after)
        states: dict[str, Counter[JobState]] = {row.id: Counter() for row in listed}
        cases: dict[str, dict[str, None]] = {row.id: {} for row in listed}
        for experiment_id, state, case in rows.states(session, states):
            states[experiment_id][state] += 1
            cases[experiment_id][case_name(case)] = None
        views_of_page = [
            ExperimentView(row.id, row.name, row.request, row.created_at, dict(states[row.id]), list(cases[row.id]))
            for row in listed[:limit]
        ]
    return views_of_page, views_of_page[-1].id if len(listed) > limit else None


def cancel(experiment_id: str) -> ExperimentView:
    """Cancel every job that has not ended. Raises NotFound."""
    for job in get(experiment_id).jobs:
        if job.state not in TERMINAL:
            with suppress(Conflict, NotFound):  # the job has just ended, or was deleted
                lifecycle.cancel(job.id)
    return get(experiment_id)


def delete(experiment_id: str) -> None:
    """Delete the experiment; its jobs stay. Raises NotFound, and Conflict while a job has not ended."""
    with unit_of_work() as session:
        _require(session, experiment_id, lock=True)
        open_ = [job.id for job in rows.jobs(session, experiment_id) if job.state not in TERMINAL]
        if open_:
            sentence = (
                f"{len(open_)} jobs of experiment {experiment_id} have not ended, and only an ended experiment can be "
                "deleted. Cancel it first."
            )
            raise Conflict(sentence, code="experiment_state")
        rows.remove(session, experiment_id)


def case_name(case: Mapping[str, Any] | None) -> str:
    return str((case or {}).get("name", UNNAMED_CASE))


def _member(job: JobView) -> Member:
    model = job.result.model if job.result else None
    href = link(f"/jobs/{job.id}")
    seed, case = job.recipe.seed, case_name(job.case)
    return Member(job.id, case, seed, job.state, job.step, job.total, model, job.health, href)


def _table_column(summary: FigureSummary) -> TableColumn:
    return TableColumn(summary.group.name, summary.group.provenance, summary.cases)


def _require(session: Session, experiment_id: str, *, lock: bool = False) -> Experiment:
    row = rows.find(session, experiment_id, lock=lock) if is_id("exp", experiment_id) else None
    if row is None:
        sentence = f"There is no experiment '{experiment_id[:80]}'. GET /experiments lists them."
        raise NotFound(sentence, code="experiment_not_found")
    return row
