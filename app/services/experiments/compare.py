"""Compare jobs: recipes, curves, figures and samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from app.core.errors import FieldError, Invalid, NotFound
from app.core.ids import is_id
from app.core.limits import COMPARED_CURVE_POINTS, MAX_COMPARED_JOBS, MAX_SCALE
from app.core.settings import link
from app.db.repositories import files, points
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import views
from app.services.experiments.recipe_diff import Difference, differences
from app.services.jobs import measurements
from app.services.jobs.measurements import CaseStatistics, FigureGroup, FigureOfProvenance, MeasuredFigure
from app.services.views import JobView
from forger.wire import JobState
from models.spec.recipe import Recipe

SAMPLE_PICTURES = 16
"""pictures in the sample of a job"""
SAMPLE_SEED = 1
SHOWN_SIDE = 64
"""side in pixels to which small pictures are enlarged, about"""


@dataclass(frozen=True, slots=True)
class ComparedJob:
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
class JobCurve:
    job: str
    points: list[tuple[int, float | None]]


@dataclass(frozen=True, slots=True)
class ComparedCurve:
    """One curve of every job that has it."""

    name: str
    jobs: list[JobCurve]


@dataclass(frozen=True, slots=True)
class Ranking(FigureOfProvenance):
    """One figure with one provenance: the jobs, best first, and statistics over jobs that differ only in the seed."""

    name: str
    provenance: dict[str, Any]
    jobs: list[MeasuredFigure]
    cases: tuple[CaseStatistics, ...]


@dataclass(frozen=True, slots=True)
class TrainingSample:
    """The newest sample sheet that the training drew."""

    step: int
    href: str


@dataclass(frozen=True, slots=True)
class ComparedSample:
    """A link to a sample of the job's model, and its newest sample sheet of the training."""

    job: str
    href: str | None
    report: TrainingSample | None


@dataclass(frozen=True, slots=True)
class Comparison:
    jobs: list[ComparedJob]
    differences: list[Difference]
    curves: list[ComparedCurve]
    figures: list[Ranking]
    samples: list[ComparedSample]


def compare(ids: Sequence[str]) -> Comparison:
    """Compare trainings. Raises Invalid, NotFound."""
    _check(ids)
    with unit_of_work(read_only=True) as session:
        jobs = [_training(session, number, job_id) for number, job_id in enumerate(ids)]
        return Comparison(
            jobs=[_compared_job(job) for job in jobs],
            differences=differences([job.recipe.model_dump(mode="json") for job in jobs]),
            curves=_curves(session, jobs),
            figures=_rankings(measurements.of_jobs(session, jobs), jobs),
            samples=[ComparedSample(job.id, sample_href(job), _training_sample(session, job.id)) for job in jobs],
        )


def _check(ids: Sequence[str]) -> None:
    if not 2 <= len(ids) <= MAX_COMPARED_JOBS:
        sentence = f"Name 2 to {MAX_COMPARED_JOBS} jobs (compared_jobs), separated by commas, not {len(ids)}."
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
        source = f": name the training whose weights it uses, {row.source_job}" if row.source_job else ""
        sentence = f"Job {job_id} is no training{source}."
        raise Invalid(sentence, errors=(FieldError(f"/jobs/{number}", sentence),))
    return views.job(row)


def _compared_job(job: JobView) -> ComparedJob:
    model = job.result.model if job.result else None
    seed = job.recipe.seed
    metric = job.recipe.watch.metric if job.recipe.watch else None
    return ComparedJob(
        job.id, job.family, job.dataset, job.state, seed, job.case, model, job.step, metric, job.best, job.health
    )


def _curves(session: Session, jobs: Sequence[JobView]) -> list[ComparedCurve]:
    """Return the curves of all jobs, grouped by name and sorted by it."""
    by_name: dict[str, list[JobCurve]] = {}
    for job in jobs:
        for name, (curve, _) in points.curves(session, job.id, None, -1, COMPARED_CURVE_POINTS).items():
            by_name.setdefault(name, []).append(JobCurve(job.id, curve))
    return [ComparedCurve(name, by_name[name]) for name in sorted(by_name)]


def _rankings(measured: Sequence[MeasuredFigure], jobs: Sequence[JobView]) -> list[Ranking]:
    case_of = _first_of_repeats(jobs)
    return [_ranking(group, case_of) for group in measurements.group_figures(measured)]


def _first_of_repeats(jobs: Sequence[JobView]) -> dict[str, str]:
    """Group jobs whose recipes differ only in the seed; return the id of the group's first job by job id.

    Of several jobs with one seed only the first counts: equal recipes say nothing about the variation over seeds. A
    group of one job is omitted.
    """
    groups: dict[str, dict[int, str]] = {}
    for job in jobs:
        jobs_by_seed = groups.setdefault(job.recipe.model_copy(update={"seed": 0}).model_dump_json(), {})
        jobs_by_seed.setdefault(job.recipe.seed, job.id)
    ids = (list(jobs_by_seed.values()) for jobs_by_seed in groups.values() if len(jobs_by_seed) > 1)
    return {job_id: repeats[0] for repeats in ids for job_id in repeats}


def _ranking(group: FigureGroup, case_of: Mapping[str, str]) -> Ranking:
    repeated = [one for one in group.measured if one.job in case_of]
    cases = tuple(cell for summary in measurements.summarise(repeated, case_of) for cell in summary.cases)
    return Ranking(group.name, group.provenance, measurements.rank_figures(group), cases)


def sample_href(job: JobView) -> str | None:
    """Return the address of a sample of the job's model; None if it has none that draws.

    All samples have one seed, and so the same noise if the latents have one shape.
    """
    if job.result is None or job.result.model is None or not job.recipe.generates:
        return None
    query = {"model": job.result.model, "n": SAMPLE_PICTURES, "seed": SAMPLE_SEED, "scale": scale(job.recipe)}
    return link(f"/sample?{urlencode(query, safe='@')}")


def scale(recipe: Recipe) -> int:
    """Return the factor by which the recipe's pictures are enlarged to be visible."""
    side = getattr(recipe.data, "side", SHOWN_SIDE)
    return min(MAX_SCALE, max(1, SHOWN_SIDE // side))


def _training_sample(session: Session, job_id: str) -> TrainingSample | None:
    samples = files.artifacts(session, job_id, "sample")
    if not samples:
        return None
    newest = max(samples, key=lambda artifact: artifact.step or 0)
    return TrainingSample(newest.step or 0, link(f"/jobs/{job_id}/artifacts/{newest.id}"))
