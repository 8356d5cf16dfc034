"""Serve POST /jobs: create a job of any kind, return the job of an equal earlier request, or do a dry run."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import Match
from starlette.types import Scope

from app.api.deps import InferenceDep, IntakeDep, SettingsDep, require_json
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute, media_type, validated_body
from app.api.requests.uploads import receive_pictures
from app.core.errors import FieldError, ForgerError, Invalid
from app.core.limits import MAX_SENT_PICTURES
from app.core.settings import link
from app.schemas.bulk import GenerateIn, TranslateIn
from app.schemas.job_replies import job_out, plan_out, refused_plan
from app.schemas.jobs import EvaluateIn, ExtendIn, JobIn, TrainIn
from app.services import idempotency
from app.services.capacity import admission, durations, estimates
from app.services.creation import evaluate, generate, train, translate
from app.services.creation.translate import SentPictures
from app.services.idempotency import Replay
from app.services.inference.service import Inference
from app.services.job_spec import JobPlan, JobSpec, Train
from app.services.jobs import lifecycle
from app.services.views import JobView
from forger.schemas.jobs import JobOut, PlanOut
from forger.wire import MAX_KEY_CHARACTERS
from models.spec.wording import DESCRIPTION_KEY

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=JsonRoute)

FORM_MEDIA_TYPE = "multipart/form-data"
_JOB = TypeAdapter(JobIn)
AnyJobIn = TrainIn | EvaluateIn | GenerateIn | TranslateIn
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY_CHARACTERS,
        pattern=r"^[\x20-\x7e]+$",
        json_schema_extra={DESCRIPTION_KEY: f"1 to {MAX_KEY_CHARACTERS} printable ASCII characters"},
        description="Requests with the same key and body within a day create one job or experiment.",
    ),
]


_FIELDS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "job": {"type": "string", "description": "The job as JSON, of kind translate and without dataset."},
        "file": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "minItems": 1,
            "maxItems": MAX_SENT_PICTURES,
        },
    },
    "required": ["job", "file"],
}
"""JSON Schema of the form that `create_with_pictures` accepts"""


class MultipartRoute(APIRoute):
    """A route for multipart forms only: other bodies go to the next route of the same address."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match == Match.FULL and media_type(Request(scope)) != FORM_MEDIA_TYPE:
            return Match.NONE, {}
        return match, child_scope


async def create_with_pictures(
    request: Request,
    response: Response,
    inference: InferenceDep,
    intake: IntakeDep,
    settings: SettingsDep,
    key: IdempotencyKey = None,
) -> JobOut:
    """Translate pictures of the client: the field `job` is the job as JSON, each part `file` a picture.

    The service keeps the pictures until the job is deleted, so the client need not wait for the job.
    """
    await to_thread.run_sync(admission.require_room)
    async with receive_pictures(request, intake.folder, settings, intake.limiter, _FIELDS) as (job_json, sent):
        job_in = validated_body(job_json.encode(), _JOB).root
        if not isinstance(job_in, TranslateIn) or job_in.dry_run:
            sentence = "Only a job of kind translate accepts pictures, and no dry run: send others as JSON."
            raise Invalid(sentence, errors=(FieldError("/kind", sentence),))
        job, replayed = await to_thread.run_sync(_translate_once, job_in, inference, sent, key)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = link(f"/jobs/{job.id}")
    return job_out(job)


def _translate_once(
    job_in: TranslateIn, inference: Inference, sent: SentPictures, key: str | None
) -> tuple[JobView, bool]:
    """Return the job, and whether an equal earlier request created it."""
    mark = idempotency.fingerprint({**job_in.model_dump(), "input": sent.sha256})
    with idempotency.once(key, mark) as turn:
        if isinstance(turn, Replay):
            return lifecycle.get(turn.id), True
        return lifecycle.create(_plan(job_in, inference, sent), turn), False


router.add_api_route(
    "",
    create_with_pictures,
    methods=["POST"],
    status_code=201,
    # The address is described once: with the JSON body, below.
    include_in_schema=False,
    route_class_override=MultipartRoute,
)


@router.post(
    "",
    status_code=201,
    response_model=JobOut,
    dependencies=[Depends(require_json)],
    openapi_extra={"requestBody": {"content": {FORM_MEDIA_TYPE: {"schema": _FIELDS}}}},
    responses={
        200: {"model": PlanOut, "description": "With `dry_run`: the planned job."},
        **refusal_responses(404, 409, 429, 507),
    },
)
def create_job(
    request_body: JobIn, response: Response, inference: InferenceDep, key: IdempotencyKey = None
) -> JobOut | Response:
    """Train a GAN, evaluate one, or make many pictures with one.

    The job is durable once this answers; with `dry_run` the reply only describes it. A form with a field `job` and
    parts `file` translates pictures of the client.
    """
    job_in = request_body.root
    if job_in.dry_run:
        return Response(_dry_run(job_in, inference).model_dump_json(), media_type="application/json")
    mark = idempotency.fingerprint(job_in.model_dump())
    with idempotency.once(key, mark) as turn:
        job = lifecycle.get(turn.id) if isinstance(turn, Replay) else lifecycle.create(_plan(job_in, inference), turn)
    if isinstance(turn, Replay):
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = link(f"/jobs/{job.id}")
    return job_out(job)


def _plan(job_in: AnyJobIn, inference: Inference, sent: SentPictures | None = None) -> JobPlan[JobSpec]:
    """Return the request as a plan with all settings. Raises Invalid with a pointer per refusal, NotFound, Conflict."""
    match job_in:
        case TrainIn():
            how = job_in.model_dump(exclude={"kind", "dry_run", "resources"})
            return train.plan(**how, devices=job_in.resources.devices)
        case EvaluateIn():
            return evaluate.plan(**job_in.model_dump(exclude={"kind", "dry_run"}))
        case GenerateIn():
            return generate.plan(inference.versions, **job_in.model_dump(exclude={"kind", "dry_run"}))
        case TranslateIn():
            return translate.plan(inference.versions, **job_in.model_dump(exclude={"kind", "dry_run"}), sent=sent)


def _dry_run(job_in: AnyJobIn, inference: Inference) -> PlanOut:
    try:
        spec = _plan(job_in, inference).spec
    except ForgerError as error:
        return refused_plan(job_in.kind, error)
    if not isinstance(spec, Train):
        return plan_out(spec, notes=[])
    estimate, takes_s = estimates.estimate(spec.recipe, spec.devices), durations.expected_s(spec.recipe, spec.family)
    return plan_out(spec, train.notes(spec.recipe), estimate, takes_s)


@router.post("/{job_id}/extend", dependencies=[Depends(require_json)], responses=refusal_responses(409, 429, 507))
def extend_job(job_id: str, request_body: ExtendIn, response: Response, key: IdempotencyKey = None) -> JobOut:
    """Extend a succeeded training by more steps. Its published version stays; at its new end it publishes the next."""
    mark = idempotency.fingerprint({"extend": job_id, **request_body.model_dump()})
    with idempotency.once(key, mark) as turn:
        job = (
            lifecycle.get(turn.id)
            if isinstance(turn, Replay)
            else lifecycle.extend(job_id, request_body.budget.steps, turn)
        )
    if isinstance(turn, Replay):
        response.headers["Idempotency-Replayed"] = "true"
    return job_out(job)
