"""Serve /models/{name}@{version}/judgements: rounds in which people tell real pictures from a model's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.api.deps import Limit, require_json
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute
from app.api.routes.models import Number
from app.core.limits import MAX_ID_CHARACTERS
from app.core.settings import link
from app.schemas.judgements import JudgementIn
from app.services.models import judgements
from forger.schemas.judgements import JudgementOut, JudgementPage

router = APIRouter(prefix="/models", tags=["models"], route_class=JsonRoute)
PATH = "/{name}@{version}/judgements"


@router.post(PATH, status_code=201, dependencies=[Depends(require_json)], responses=refusal_responses(404, 409, 507))
def add_judgement(name: str, version: Number, body: JudgementIn, response: Response) -> JudgementOut:
    """Keep one round of a person who told real pictures from the model's. It counts in the figure on the model's card.

    The real pictures are those of GET /datasets/{name}/pictures and the fakes those of GET /sample, both with `seed`.
    """
    answers = [answer.model_dump() for answer in body.answers]
    added = judgements.add(f"{name}@{version}", body.judge, body.seed, answers)
    response.headers["Location"] = link(f"/models/{added.model}/judgements")
    return added


@router.get(PATH)
def list_judgements(
    name: str,
    version: Number,
    limit: Limit = 20,
    after: Annotated[
        str | None, Query(max_length=MAX_ID_CHARACTERS, description="The `next_cursor` of a page.")
    ] = None,
) -> JudgementPage:
    """List the rounds of a version, newest first, with the figure of all of them."""
    return judgements.page(f"{name}@{version}", limit, after)
