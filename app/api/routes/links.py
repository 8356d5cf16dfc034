"""Serve /links: addresses that show one job, one experiment or one model to people without the key."""

from urllib.parse import quote

from fastapi import APIRouter, Depends, Response

from app.api.deps import SettingsDep, require_json
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute
from app.api.sessions import Sessions
from app.core.errors import Conflict
from app.core.settings import link as address
from app.schemas.links import LinkIn
from app.services import links
from app.services.links import LinkView
from forger.schemas.links import LinkList, LinkOut

router = APIRouter(prefix="/links", tags=["session"], route_class=JsonRoute)

PAGES = {"job": "jobs/{}?", "experiment": "experiments/{}?", "model": "spot?model={}&"}
"""page of the studio that shows a target, by the kind of the link"""


@router.post("", status_code=201, dependencies=[Depends(require_json)], responses=refusal_responses(404, 409))
def create_link(body: LinkIn, response: Response, settings: SettingsDep) -> LinkOut:
    """Create a link to one job, experiment or model. It can be read without the key until it expires or is revoked.

    A link to a model lets people play "spot the fake" with it.
    """
    if settings.api_key is None:
        sentence = "This service has no key, so everybody who reaches it can open any page: send the page's address."
        raise Conflict(sentence, code="no_key")
    created = links.create(body.kind, body.target, 3600 * body.hours)
    response.headers["Location"] = address(f"/links/{created.id}")
    return _out(created, Sessions(settings))


@router.get("")
def list_links(settings: SettingsDep) -> LinkList:
    """List the links that have not expired, newest first."""
    sessions = Sessions(settings)
    return LinkList(data=[_out(one, sessions) for one in links.valid_links()] if settings.api_key else [])


@router.delete("/{link_id}", status_code=204, responses=refusal_responses(404))
def delete_link(link_id: str) -> None:
    """Revoke a link: it shows nothing from then on, also to people who have opened it."""
    links.revoke(link_id)


def _out(link: LinkView, sessions: Sessions) -> LinkOut:
    page = PAGES[link.kind].format(quote(link.target, safe="@"))
    return LinkOut(
        id=link.id,
        kind=link.kind,
        target=link.target,
        href=address(f"/studio/{page}link={sessions.token(link.id)}"),
        created_at=link.created_at,
        expires_at=link.expires_at,
    )
