"""Serve /augmentations: labelled pictures for a dataset, and whether they help a classifier."""

from typing import Any

from fastapi import APIRouter, Depends, Response

from app.api.deps import require_json
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute
from app.api.routes.create_job import IdempotencyKey
from app.core.errors import ForgerError
from app.core.settings import link
from app.schemas.augmentations import AugmentationIn
from app.schemas.job_replies import job_out, plan_out, refused_plan
from app.services import idempotency
from app.services.capacity import durations, estimates
from app.services.creation import augment
from app.services.idempotency import Replay
from app.services.jobs import augmentations, lifecycle
from app.services.views import JobView
from forger.schemas.augmentations import AugmentationOut, AugmentationReport
from forger.schemas.jobs import PlanOut

router = APIRouter(prefix="/augmentations", tags=["augmentations"], route_class=JsonRoute)


@router.post(
    "",
    status_code=201,
    response_model=AugmentationOut,
    dependencies=[Depends(require_json)],
    responses={
        200: {"model": PlanOut, "description": "With `dry_run`: the planned job."},
        **refusal_responses(404, 409, 429, 507),
    },
)
def create_augmentation(
    body: AugmentationIn, response: Response, key: IdempotencyKey = None
) -> AugmentationOut | Response:
    """Draw labelled pictures for a dataset, and measure if a classifier gains by them.

    The work is a job of kind augment. Its report compares classifiers on held-out real pictures. With `dry_run` the
    reply only describes the job.
    """
    request = body.model_dump(exclude={"dry_run"})
    if body.dry_run:
        return Response(_dry_run(request).model_dump_json(), media_type="application/json")
    mark = idempotency.fingerprint(["augmentations", request])
    with idempotency.once(key, mark) as turn:
        if isinstance(turn, Replay):
            job = augmentations.get(turn.id)
        else:
            job = lifecycle.create(augment.plan(**request), turn)
    if isinstance(turn, Replay):
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = link(f"/augmentations/{job.id}")
    return _augmentation_out(job)


@router.get("/{job_id}", responses=refusal_responses(409))
def get_augmentation(job_id: str) -> AugmentationOut:
    """Read an augmentation: its job, and once that has succeeded its report."""
    return _augmentation_out(augmentations.get(job_id))


def _dry_run(request: dict[str, Any]) -> PlanOut:
    try:
        spec = augment.plan(**request).spec
    except ForgerError as error:
        return refused_plan("augment", error)
    if spec.weights is not None:
        return plan_out(spec, augment.notes(spec))
    estimate, takes_s = estimates.estimate(spec.recipe), durations.expected_s(spec.recipe, spec.family)
    return plan_out(spec, augment.notes(spec), estimate, takes_s)


def _augmentation_out(job: JobView) -> AugmentationOut:
    own, report = link(f"/jobs/{job.id}"), augmentations.report(job.id)
    names = {"report": augmentations.REPORT_FILE, "pictures": augmentations.PICTURES_FILE}
    by_name = {artifact.name: artifact.id for artifact in lifecycle.artifacts(job.id)}
    files = {key: f"{own}/artifacts/{by_name[name]}" for key, name in names.items() if name in by_name}
    return AugmentationOut(
        job=job_out(job),
        report=None if report is None else AugmentationReport.model_validate(report),
        links={"self": link(f"/augmentations/{job.id}"), "job": own, **files},
    )
