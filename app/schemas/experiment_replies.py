"""Build the replies of /experiments and /compare from what services return."""

from collections.abc import Sequence

from app.core.settings import link
from app.services.experiments.compare import Comparison
from app.services.experiments.lifecycle import ExperimentView, Member, MemberPlan
from app.services.jobs.measurements import MeasuredFigure
from forger.schemas.base import Json
from forger.schemas.compare import ComparisonOut
from forger.schemas.experiments import (
    ExperimentDetail,
    ExperimentJob,
    ExperimentOut,
    ExperimentPlanOut,
    FigureOut,
    MeasuredJob,
    MeasuredJobList,
    PlannedJob,
)
from forger.schemas.figures import JobFigure


def experiment_plan(planned: Sequence[MemberPlan], takes_s: float | None, notes: list[str]) -> ExperimentPlanOut:
    jobs = [
        PlannedJob(
            case=one.case.name,
            seed=one.seed,
            family=one.spec.family,
            dataset=one.spec.dataset_name,
            model=one.spec.model_name,
        )
        for one in planned
    ]
    minutes = None if takes_s is None else round(takes_s / 60, 1)
    return ExperimentPlanOut(count=len(jobs), jobs=jobs, minutes=minutes, notes=notes, refusals=[])


def experiment_out(experiment: ExperimentView) -> ExperimentOut:
    return ExperimentOut(**_facts(experiment))


def experiment_detail(experiment: ExperimentView) -> ExperimentDetail:
    return ExperimentDetail(
        **_facts(experiment),
        request=experiment.request,
        jobs=[ExperimentJob.model_validate(job) for job in experiment.jobs],
        figures=[FigureOut.model_validate(figure) for figure in experiment.figures],
    )


def measured_jobs(jobs: Sequence[tuple[Member, list[MeasuredFigure]]]) -> MeasuredJobList:
    data = [
        MeasuredJob(
            **ExperimentJob.model_validate(job).model_dump(),
            figures=[JobFigure.model_validate(one) for one in figures],
        )
        for job, figures in jobs
    ]
    return MeasuredJobList(data=data)


def comparison_out(comparison: Comparison) -> ComparisonOut:
    return ComparisonOut.model_validate(comparison)


def _facts(experiment: ExperimentView) -> Json:
    href = link(f"/experiments/{experiment.id}")
    return {
        "id": experiment.id,
        "name": experiment.name,
        "created_at": experiment.created_at,
        "states": experiment.states,
        "cases": experiment.cases,
        "links": {"self": href, "table": f"{href}?format=csv", "picture": f"{href}?format=png", "jobs": f"{href}/jobs"},
    }
