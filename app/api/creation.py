"""POST /jobs: makes a job, answers the one that the same request made before, or says what it would be."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from app.api.deps import TheInference, json_body
from app.api.problems import refused
from app.core.errors import FieldError, ForgerError, NotReady
from app.core.limits import KEY_LENGTH
from app.schemas.jobs import JobIn, JobOut, Parameters, PlanOut, Refusal
from app.services import idempotency, jobs, plans
from app.services.idempotency import Answer, Replay
from app.services.plans import Plan
from app.services.views import JobView

router = APIRouter(prefix="/jobs", tags=["jobs"])

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_LENGTH,
        pattern=r"^[\x20-\x7e]+$",
        description="The same key with the same body makes one, however often it is sent within a day.",
    ),
]


@router.post(
    "",
    status_code=201,
    response_model=JobOut,
    dependencies=[Depends(json_body)],
    responses={200: {"model": PlanOut, "description": "With `dry_run`: what the job would be."}, **refused(404, 409)},
)
def create(asked: JobIn, response: Response, inference: TheInference, key: Key = None) -> JobOut | Response:
    """Train a GAN. The job is durable once this answers; `dry_run` only says what it would be."""
    if asked.dry_run:
        return Response(_planned(asked, inference).model_dump_json(), media_type="application/json")
    mark = idempotency.fingerprint(asked.model_dump())
    with idempotency.once(key, mark) as turn:
        job = jobs.get(turn.id) if isinstance(turn, Replay) else _made(plans.make(**_asked(asked)), turn)
    if isinstance(turn, Replay):
        response.headers["Idempotency-Replayed"] = "true"
    response.headers["Location"] = f"/jobs/{job.id}"
    return JobOut.of(job)


def _asked(asked: JobIn) -> dict[str, Any]:
    return asked.model_dump(exclude={"dry_run"})


def _made(plan: Plan, answer: Answer | None) -> JobView:
    return jobs.create(
        family=plan.family,
        recipe=plan.recipe,
        dataset=plan.recipe.data.dataset,
        model_name=plan.model,
        start=plan.start,
        answer=answer,
    )


def _planned(asked: JobIn, inference: TheInference) -> PlanOut:
    nothing = PlanOut(recipe=None, family=None, dataset=None, model=None, parameters=None, note=None, refusals=[])
    try:
        plan = plans.make(**_asked(asked))
    except ForgerError as error:
        fields = error.errors or (FieldError("", error.detail),)
        refusals = [Refusal(pointer=field.pointer, message=field.message) for field in fields]
        return nothing.model_copy(update={"refusals": refusals})
    parameters, note = _counted(plan, inference)
    return PlanOut(
        recipe=plan.recipe,
        family=plan.family,
        dataset=plan.recipe.data.dataset,
        model=plan.model,
        parameters=parameters,
        note=note,
        refusals=[],
    )


def _counted(plan: Plan, inference: TheInference) -> tuple[Parameters | None, str | None]:
    try:
        return Parameters(**inference.counts(plan.recipe)), None
    except NotReady as error:
        return None, f"The parameters are not counted. {error.detail}"
