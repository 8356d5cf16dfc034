"""POST /jobs: makes a job of any kind, answers the one that the same request made before, or says what it would be."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import Match
from starlette.types import Scope

from app.api.deps import TheInference, TheIntake, TheSettings, json_body
from app.api.openapi.refusals import refused
from app.api.requests.json_bodies import JsonRoute, checked_body, media_type
from app.api.requests.uploads import received_pictures
from app.core.errors import FieldError, ForgerError, Invalid
from app.core.limits import SENT_MOST
from app.core.settings import link
from app.schemas.bulk import GenerateIn, TranslateIn
from app.schemas.job_replies import estimate_out, job_out, recipe_json, spec_out
from app.schemas.jobs import EvaluateIn, ExtendIn, JobIn, TrainIn
from app.services import idempotency
from app.services.capacity import admission, durations, estimates
from app.services.creation import evaluate, generate, train, translate
from app.services.creation.translate import Sent
from app.services.idempotency import Replay
from app.services.inference.service import Inference
from app.services.job_spec import JobPlan, JobSpec, Train
from app.services.jobs import lifecycle
from app.services.views import JobView
from forger.schemas.jobs import JobOut, PlanOut, Refusal
from forger.wire import KEY_LENGTH
from models.spec.wording import DESCRIPTION_KEY

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=JsonRoute)

FORM = "multipart/form-data"
_JOB = TypeAdapter(JobIn)
Wish = TrainIn | EvaluateIn | GenerateIn | TranslateIn
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_LENGTH,
        pattern=r"^[\x20-\x7e]+$",
        json_schema_extra={DESCRIPTION_KEY: f"1 to {KEY_LENGTH} printable ASCII characters"},
        description="The same key with the same body makes one, however often it is sent within a day.",
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
            "maxItems": SENT_MOST,
        },
    },
    "required": ["job", "file"],
}
"""what `create_with_pictures` takes, beside the JSON body"""


class FormRoute(APIRoute):
    """A route that only forms take: other bodies go to the next one of the same address."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        if match == Match.FULL and media_type(Request(scope)) != FORM:
            return Match.NONE, {}
        return match, found


async def create_with_pictures(
    request: Request,
    response: Response,
    inference: TheInference,
    intake: TheIntake,
    settings: TheSettings,
    key: Key = None,
) -> JobOut:
    """Translate pictures of the client's own: the field `job` is the job as JSON, each part `file` a picture.

    They are kept with the job and removed with it, so nobody has to wait for the answer.
    """
    await to_thread.run_sync(admission.require_room)
    async with received_pictures(request, intake.folder, settings, intake.gate, _FIELDS) as (said, sent):
        wish = checked_body(said.encode(), _JOB).root
        if not isinstance(wish, TranslateIn) or wish.dry_run:
            sentence = "Only a job of kind translate takes pictures, and not a dry run: send others as JSON."
            raise Invalid(sentence, errors=(FieldError("/kind", sentence),))
        job, replayed = await to_thread.run_sync(_restyling, wish, inference, sent, key)
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = link(f"/jobs/{job.id}")
    return job_out(job)


def _restyling(wish: TranslateIn, inference: Inference, sent: Sent, key: str | None) -> tuple[JobView, bool]:
    """The job, and whether the same request made it before."""
    mark = idempotency.fingerprint({**wish.model_dump(), "input": sent.sha256})
    with idempotency.once(key, mark) as turn:
        if isinstance(turn, Replay):
            return lifecycle.get(turn.id), True
        return lifecycle.create(_plan(wish, inference, sent), turn), False


router.add_api_route(
    "",
    create_with_pictures,
    methods=["POST"],
    status_code=201,
    include_in_schema=False,  # one address is described once: with the JSON body, below
    route_class_override=FormRoute,
)


@router.post(
    "",
    status_code=201,
    response_model=JobOut,
    dependencies=[Depends(json_body)],
    openapi_extra={"requestBody": {"content": {FORM: {"schema": _FIELDS}}}},
    responses={
        200: {"model": PlanOut, "description": "With `dry_run`: what the job would be."},
        **refused(404, 409, 429, 507),
    },
)
def create_job(asked: JobIn, response: Response, inference: TheInference, key: Key = None) -> JobOut | Response:
    """Train a GAN, evaluate one, or make many pictures with one.

    The job is durable once this answers; `dry_run` only says what it would be. A form with a field `job` and parts
    `file` has pictures of the client's own translated.
    """
    wish = asked.root
    if wish.dry_run:
        return Response(_dry_run(wish, inference).model_dump_json(), media_type="application/json")
    mark = idempotency.fingerprint(wish.model_dump())
    with idempotency.once(key, mark) as turn:
        job = lifecycle.get(turn.id) if isinstance(turn, Replay) else lifecycle.create(_plan(wish, inference), turn)
    if isinstance(turn, Replay):
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = link(f"/jobs/{job.id}")
    return job_out(job)


def _plan(wish: Wish, inference: Inference, sent: Sent | None = None) -> JobPlan[JobSpec]:
    """Make a request whole. Raises Invalid with a pointer per refusal, NotFound, Conflict."""
    match wish:
        case TrainIn():
            how = wish.model_dump(exclude={"kind", "dry_run", "resources"})
            return train.plan(**how, devices=wish.resources.devices)
        case EvaluateIn():
            return evaluate.plan(**wish.model_dump(exclude={"kind", "dry_run"}))
        case GenerateIn():
            return generate.plan(inference, **wish.model_dump(exclude={"kind", "dry_run"}))
        case TranslateIn():
            return translate.plan(inference, **wish.model_dump(exclude={"kind", "dry_run"}), sent=sent)


def _dry_run(wish: Wish, inference: Inference) -> PlanOut:
    nothing = PlanOut(
        kind=wish.kind,
        spec=None,
        recipe=None,
        family=None,
        dataset=None,
        model=None,
        estimate=None,
        notes=[],
        refusals=[],
    )
    try:
        spec = _plan(wish, inference).spec
    except ForgerError as error:
        fields = error.errors or (FieldError("", error.detail),)
        refusals = [Refusal(pointer=field.pointer, message=field.message) for field in fields]
        return nothing.model_copy(update={"refusals": refusals})
    known: dict[str, Any] = {
        "spec": spec_out(spec),
        "recipe": recipe_json(spec.recipe),
        "family": spec.family,
        "dataset": spec.dataset_name,
        "model": spec.model_name,
    }
    if isinstance(spec, Train):
        estimate = estimates.of(spec.recipe, spec.devices)
        known["estimate"] = estimate_out(estimate, durations.expected_s(spec.recipe, spec.family))
        known["notes"] = train.notes(spec.recipe)
    return nothing.model_copy(update=known)


@router.post("/{job_id}/extend", dependencies=[Depends(json_body)], responses=refused(409, 429, 507))
def extend_job(job_id: str, asked: ExtendIn, response: Response, key: Key = None) -> JobOut:
    """Train a job on that has succeeded. What it published stays; at its new end it publishes the next version."""
    mark = idempotency.fingerprint({"extend": job_id, **asked.model_dump()})
    with idempotency.once(key, mark) as turn:
        job = lifecycle.get(turn.id) if isinstance(turn, Replay) else lifecycle.extend(job_id, asked.budget.steps, turn)
    if isinstance(turn, Replay):
        response.headers["Idempotency-Replayed"] = "true"
    return job_out(job)
