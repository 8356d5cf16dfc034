"""Experiments: create many jobs by one request, and summarise them over their seeds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldError, Invalid, NotFound, refused
from app.core.ids import is_id, new_id
from app.core.limits import ERRORS
from app.core.settings import link
from app.db.repositories import experiments as rows
from app.db.session import unit_of_work
from app.db.tables import Experiment
from app.services import queue, views
from app.services.capacity import admission, durations, estimates
from app.services.capacity.durations import Experience
from app.services.creation import train
from app.services.experiments.grid import Case, cases_of, model_name, seeds_of
from app.services.idempotency import Answer
from app.services.job_spec import Train
from app.services.jobs import lifecycle, measurements
from app.services.jobs.measurements import FigureHead, Measured, Spread, Summary
from app.services.views import JobView
from forger.wire import TERMINAL, JobState

Json = dict[str, Any]
UNNAMED = "case"


@dataclass(frozen=True, slots=True)
class Planned:
    """One job of an experiment that is not yet made."""

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
class Figure(FigureHead):
    """A column of the table: one figure with one provenance, of each case."""

    name: str
    provenance: Json
    cases: tuple[Spread, ...]


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """An experiment at one moment; in a list without its jobs and figures."""

    id: str
    name: str | None
    request: Json
    created_at: float
    states: dict[JobState, int]
    cases: list[str]
    jobs: tuple[Member, ...] = ()
    figures: tuple[Figure, ...] = ()


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
) -> list[Planned]:
    """Every job, the first seed of all cases first. Raises Invalid with every refusal, of whatever case."""
    found = cases_of(recipe, overrides, cases, grid)
    chosen = seeds_of(seeds, len(found))
    known = durations.experience()
    made: list[tuple[Case, Train]] = []
    refusals: dict[tuple[str, str], list[str]] = {}
    for case in found:
        try:
            planned = train.plan(
                case.recipe,
                dataset=dataset,
                seed=chosen[0],
                budget=None if case.has_budget else budget,
                overrides=case.overrides,
                experience=known,
            )
            made.append((case, _named(planned.spec, case, model or name, alone=len(found) == 1 and cases is None)))
        except Invalid as error:
            for field in error.errors:
                refusals.setdefault((case.place(field.pointer), field.message), []).append(case.name)
            if len(refusals) >= ERRORS:  # as many as are told: the other cases need not be looked at
                break
    if refusals:
        raise _refused(refusals, len(found))
    alike = _watched_alike(made)
    return [Planned(case, seed, _with(own, seed=seed)) for seed in chosen for case, own in alike]


def takes_s(planned: Sequence[Planned]) -> float | None:
    """Seconds that all jobs take one after the other; None where that is not known of one."""
    experience = durations.experience()
    each = [experience.of(one.spec.recipe, one.spec.family).takes_s for one in planned]
    known = [seconds for seconds in each if seconds is not None]
    return sum(known) if len(known) == len(each) else None


def notes(planned: Sequence[Planned]) -> list[str]:
    """What is to be known beforehand, each once, with the names of the cases that it is about."""
    told: dict[str, dict[str, None]] = {}
    for one in planned:
        for note in train.notes(one.spec.recipe):
            told.setdefault(note, {})[one.case.name] = None
    cases = {one.case.name for one in planned}
    return [note if len(named) == len(cases) else f"{', '.join(named)}: {note}" for note, named in told.items()]


def _watched_alike(made: Sequence[tuple[Case, Train]]) -> list[tuple[Case, Train]]:
    """Where nobody says how they are watched, evaluations of all cases have the same number of samples, the fewest:
    figures of other numbers could not be held against each other."""
    watches = [own.recipe.watch for case, own in made if _watched_unasked(case)]
    least = min((watch.samples for watch in watches if watch is not None), default=None)
    if least is None:
        return list(made)
    return [(case, _with_samples(own, least) if _watched_unasked(case) else own) for case, own in made]


def _watched_unasked(case: Case) -> bool:
    return isinstance(case.recipe, str) and "watch" not in (case.overrides or {})


def _with_samples(spec: Train, samples: int) -> Train:
    watch = spec.recipe.watch
    return spec if watch is None else _with(spec, watch=watch.model_copy(update={"samples": samples}))


def _named(spec: Train, case: Case, stem: str | None, *, alone: bool) -> Train:
    """With what its jobs publish; a version for each seed."""
    if alone:
        return spec if stem is None else spec.model_copy(update={"model_name": stem})
    return spec.model_copy(update={"model_name": model_name(stem or spec.model_name, case.name)})


def _with(spec: Train, **changed: Any) -> Train:
    return spec.model_copy(update={"recipe": spec.recipe.model_copy(update=changed)})


def _refused(refusals: Mapping[tuple[str, str], Sequence[str]], cases: int) -> Invalid:
    """With the names of the cases that are refused, where it is not all of them."""
    errors = tuple(
        FieldError(pointer, message if len(names) == cases else f"{', '.join(names)}: {message}")
        for (pointer, message), names in refusals.items()
    )
    return refused("The experiment was refused.", errors, "experiment_refused")


def create(name: str | None, request: Json, planned: Sequence[Planned], answer: Answer | None = None) -> ExperimentView:
    """All its jobs in one transaction, or none."""
    experiment_id = new_id("exp")
    kept = [estimates.of(one.spec.recipe, one.spec.devices).disk_bytes for one in planned]
    with unit_of_work() as session:
        admission.admit(session, jobs=len(planned), stored=sum(kept))
        rows.add(session, experiment_id, name=name, request=request)
        known = Experience(session)
        made = [_insert(session, experiment_id, one, stored, known) for one, stored in zip(planned, kept, strict=True)]
        if answer is not None:
            answer(session, experiment_id)
    for job_id in made:
        if not queue.ring(job_id):  # the reaper rings for the others too
            break
    return get(experiment_id)


def _insert(session: Session, experiment_id: str, one: Planned, stored: int, experience: Experience) -> str:
    job_id = new_id("job")
    lifecycle.insert(
        session,
        job_id,
        one.spec,
        stored_bytes=stored,
        experience=experience,
        experiment_id=experiment_id,
        case={"name": one.case.name, "settings": one.case.settings},
    )
    return job_id


def get(experiment_id: str) -> ExperimentView:
    """With its jobs and its table. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = _require(session, experiment_id)
        members, measured = _measured(session, experiment_id)
    case_of = {job.id: case_name(job.case) for job in members}
    table = measurements.summaries(measured, case_of)
    return ExperimentView(
        id=row.id,
        name=row.name,
        request=row.request,
        created_at=row.created_at,
        states=dict(Counter(job.state for job in members)),
        cases=list(dict.fromkeys(case_of.values())),
        jobs=tuple(_member(job) for job in members),
        figures=tuple(_figure(summary) for summary in table),
    )


def measured(experiment_id: str) -> list[tuple[Member, list[Measured]]]:
    """Each job with the figures that the table is made of. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        _require(session, experiment_id)
        members, found = _measured(session, experiment_id)
    figures: dict[str, list[Measured]] = {job.id: [] for job in members}
    for one in found:
        figures[one.job].append(one)
    return [(_member(job), figures[job.id]) for job in members]


def _measured(session: Session, experiment_id: str) -> tuple[list[JobView], list[Measured]]:
    """All jobs, and the figures of those that have succeeded."""
    members = [views.job(job) for job in rows.jobs(session, experiment_id)]
    done = [job for job in members if job.state == JobState.SUCCEEDED]
    return members, measurements.of_jobs(session, done)


def page(limit: int, after: str | None) -> tuple[list[ExperimentView], str | None]:
    """Newest first, and the cursor of the next page when there is one."""
    with unit_of_work(read_only=True) as session:
        found = rows.page(session, limit + 1, after)
        states: dict[str, Counter[JobState]] = {row.id: Counter() for row in found}
        cases: dict[str, dict[str, None]] = {row.id: {} for row in found}
        for experiment_id, state, case in rows.states(session, states):
            states[experiment_id][state] += 1
            cases[experiment_id][case_name(case)] = None
        made = [
            ExperimentView(row.id, row.name, row.request, row.created_at, dict(states[row.id]), list(cases[row.id]))
            for row in found[:limit]
        ]
    return made, made[-1].id if len(found) > limit else None


def cancel(experiment_id: str) -> ExperimentView:
    """Every job that has not ended is cancelled."""
    for job in get(experiment_id).jobs:
        if job.state not in TERMINAL:
            with suppress(Conflict, NotFound):  # it has ended, or was deleted, this moment
                lifecycle.cancel(job.id)
    return get(experiment_id)


def delete(experiment_id: str) -> None:
    """Its jobs stay. Raises Conflict while one of them has not ended."""
    with unit_of_work() as session:
        _require(session, experiment_id, lock=True)
        open_ = [job.id for job in rows.jobs(session, experiment_id) if job.state not in TERMINAL]
        if open_:
            sentence = (
                f"{len(open_)} jobs of experiment {experiment_id} have not ended: only an ended one can be deleted. "
                "Cancel it first."
            )
            raise Conflict(sentence, code="experiment_state")
        rows.remove(session, experiment_id)


def case_name(case: Mapping[str, Any] | None) -> str:
    return str((case or {}).get("name", UNNAMED))


def _member(job: JobView) -> Member:
    model = job.result.model if job.result else None
    own = link(f"/jobs/{job.id}")
    seed, case = job.recipe.seed, case_name(job.case)
    return Member(job.id, case, seed, job.state, job.step, job.total, model, job.health, own)


def _figure(summary: Summary) -> Figure:
    return Figure(summary.group.name, summary.group.provenance, summary.cases)


def _require(session: Session, experiment_id: str, *, lock: bool = False) -> Experiment:
    row = rows.find(session, experiment_id, lock=lock) if is_id("exp", experiment_id) else None
    if row is None:
        sentence = f"There is no experiment '{experiment_id[:80]}'. GET /experiments lists them."
        raise NotFound(sentence, code="experiment_not_found")
    return row
