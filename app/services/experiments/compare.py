"""Compare jobs: recipes, curves, figures and samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from app.core.errors import FieldError, Invalid, NotFound
from app.core.ids import is_id
from app.core.limits import COMPARED_JOBS, CURVE_POINTS, SCALE
from app.core.settings import link
from app.db.repositories import files, points
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import views
from app.services.experiments.recipe_diff import Difference, differences
from app.services.jobs import measurements
from app.services.jobs.measurements import FigureHead, Group, Measured, Spread
from app.services.views import JobView
from forger.wire import JobState
from models.spec.recipe import Recipe

DRAWN = 16
"""pictures of a job's sample"""
SEED = 1
WIDE = 64
"""pixels that a small picture's side is enlarged to, about"""


@dataclass(frozen=True, slots=True)
class Compared:
    id: str
    family: str | None
    dataset: str
    state: JobState
    seed: int
    case: dict[str, Any] | None
    model: str | None
    step: int
    metric: str | None
    best: dict[str, Any] | None
    health: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Curve:
    job: str
    points: list[tuple[int, float | None]]


@dataclass(frozen=True, slots=True)
class Curves:
    name: str
    jobs: list[Curve]


@dataclass(frozen=True, slots=True)
class Ranking(FigureHead):
    name: str
    provenance: dict[str, Any]
    jobs: list[Measured]
    cases: tuple[Spread, ...]


@dataclass(frozen=True, slots=True)
class Report:
    step: int
    href: str


@dataclass(frozen=True, slots=True)
class Sample:
    job: str
    href: str | None
    report: Report | None


@dataclass(frozen=True, slots=True)
class Comparison:
    jobs: list[Compared]
    differences: list[Difference]
    curves: list[Curves]
    figures: list[Ranking]
    samples: list[Sample]


def compare(ids: Sequence[str]) -> Comparison:
    """Raises Invalid, NotFound."""
    _check(ids)
    with unit_of_work(read_only=True) as session:
        jobs = [_training(session, number, job_id) for number, job_id in enumerate(ids)]
        return Comparison(
            jobs=[_compared(job) for job in jobs],
            differences=differences([job.recipe.model_dump(mode="json") for job in jobs]),
            curves=_curves(session, jobs),
            figures=_rankings(measurements.of_jobs(session, jobs), jobs),
            samples=[Sample(job.id, sample_href(job), _report(session, job.id)) for job in jobs],
        )


def _check(ids: Sequence[str]) -> None:
    if not 2 <= len(ids) <= COMPARED_JOBS:
        sentence = f"Name 2 to {COMPARED_JOBS} jobs (compared_jobs), with commas between; here are {len(ids)}."
        raise Invalid(sentence, errors=(FieldError("/jobs", sentence),))
    for number, job_id in enumerate(ids):
        if job_id in ids[:number]:
            sentence = f"The job '{job_id[:80]}' is named twice: name each once."
            raise Invalid(sentence, errors=(FieldError(f"/jobs/{number}", sentence),))


def _training(session: Session, number: int, job_id: str) -> JobView:
    row = rows.find(session, job_id) if is_id("job", job_id) else None
    if row is None:
        sentence = f"There is no job '{job_id[:80]}'. GET /jobs lists them."
        raise NotFound(sentence, code="job_not_found", errors=(FieldError(f"/jobs/{number}", sentence),))
    if row.kind != "train":
        judged = f": name the job whose weights it works with, {row.source_job}" if row.source_job else ""
        sentence = f"Job {job_id} trains nothing{judged}."
        raise Invalid(sentence, errors=(FieldError(f"/jobs/{number}", sentence),))
    return views.job(row)


def _compared(job: JobView) -> Compared:
    model = job.result.model if job.result else None
    seed = job.recipe.seed
    metric = job.recipe.watch.metric if job.recipe.watch else None
    return Compared(
        job.id, job.family, job.dataset, job.state, seed, job.case, model, job.step, metric, job.best, job.health
    )


def _curves(session: Session, jobs: Sequence[JobView]) -> list[Curves]:
    """By name, in the order of names; each job that has such a curve."""
    found: dict[str, list[Curve]] = {}
    for job in jobs:
        for name, (curve, _) in points.curves(session, job.id, None, -1, CURVE_POINTS).items():
            found.setdefault(name, []).append(Curve(job.id, curve))
    return [Curves(name, found[name]) for name in sorted(found)]


def _rankings(measured: Sequence[Measured], jobs: Sequence[JobView]) -> list[Ranking]:
    case_of = _repeated(jobs)
    return [_ranking(group, case_of) for group in measurements.grouped(measured)]


def _repeated(jobs: Sequence[JobView]) -> dict[str, str]:
    """Group jobs whose recipes differ in the seed alone: the id of each job, and that of the first of its group.

    A seed counts once, by its first job: equal recipes repeat each other and say nothing about the spread.
    """
    alike: dict[str, dict[int, str]] = {}
    for job in jobs:
        own = alike.setdefault(job.recipe.model_copy(update={"seed": 0}).model_dump_json(), {})
        own.setdefault(job.recipe.seed, job.id)
    return {id_: next(iter(own.values())) for own in alike.values() if len(own) > 1 for id_ in own.values()}


def _ranking(group: Group, case_of: Mapping[str, str]) -> Ranking:
    repeated = [one for one in group.measured if one.job in case_of]
    cases = tuple(cell for summary in measurements.summaries(repeated, case_of) for cell in summary.cases)
    return Ranking(group.name, group.provenance, measurements.ranked(group), cases)


def sample_href(job: JobView) -> str | None:
    """The same seed for every job, so the same noise where the latents have one shape."""
    if job.result is None or job.result.model is None or not job.recipe.generates:
        return None
    asked = {"model": job.result.model, "n": DRAWN, "seed": SEED, "scale": scale(job.recipe)}
    return link(f"/sample?{urlencode(asked, safe='@')}")


def scale(recipe: Recipe) -> int:
    """By which small pictures can be seen."""
    side = getattr(recipe.data, "side", WIDE)
    return min(SCALE, max(1, WIDE // side))


def _report(session: Session, job_id: str) -> Report | None:
    drawn = files.artifacts(session, job_id, "sample")
    if not drawn:
        return None
    newest = max(drawn, key=lambda artifact: artifact.step or 0)
    return Report(newest.step or 0, link(f"/jobs/{job_id}/artifacts/{newest.id}"))
