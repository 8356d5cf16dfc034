"""Serve /session: exchange the API key, or the token of a link, for a cookie."""

import asyncio

from fastapi import APIRouter, Depends, Request, Response

from app.api.deps import SettingsDep, require_json
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute
from app.api.sessions import KEY_WRONG, LINK_ENDED, Sessions, is_key
from app.core.errors import FieldError, Unauthorized, invalid_request
from app.schemas.session import SessionIn
from app.services import links
from forger.schemas.catalog import SessionOut, SharedOut

router = APIRouter(prefix="/session", tags=["session"], route_class=JsonRoute)


@router.post("", status_code=204, dependencies=[Depends(require_json)], responses=refusal_responses(401))
async def start_session(body: SessionIn, request: Request, settings: SettingsDep) -> Response:
    """Start a session: the cookie of the reply replaces the key. A service without a key sets no cookie.

    The session of a link reads what the link shows, and nothing else.
    """
    if (body.key is None) == (body.link is None):
        sentence = "Send the service's key as 'key', or the token of a link as 'link'."
        raise invalid_request(sentence, [FieldError("/key", sentence)])
    if settings.api_key is None:
        return Response(status_code=204)
    sessions = Sessions(settings)
    if body.link is not None:
        return _with_cookie(await _start_of_link(body.link, sessions, request.url.scheme))
    if body.key is None or not is_key(settings, body.key.get_secret_value().encode()):
        raise Unauthorized(KEY_WRONG)
    return _with_cookie(sessions.start(request.url.scheme))


@router.get("")
async def get_session(request: Request, settings: SettingsDep) -> SessionOut:
    """Say whether the service requires a key, and which session this browser has."""
    sessions = Sessions(settings)
    return SessionOut(
        key_required=settings.api_key is not None,
        signed_in=sessions.holds(request.scope),
        link=await _shared(sessions.link(request.scope)),
    )


@router.delete("", status_code=204)
async def end_session(request: Request, settings: SettingsDep) -> Response:
    """End the session of this browser."""
    return _with_cookie(Sessions(settings).end(request.url.scheme))


async def _start_of_link(token: str, sessions: Sessions, scheme: str) -> str:
    """Return the cookie of a link's session. Raises Unauthorized."""
    link_id = sessions.link_of(token)
    shared = None if link_id is None else await asyncio.to_thread(links.shared_by, link_id)
    if shared is None:
        raise Unauthorized(LINK_ENDED, code="link_ended")
    return sessions.start(scheme, shared.link.id)  # each request reads whether the link has ended


async def _shared(link_id: str | None) -> SharedOut | None:
    shared = None if link_id is None else await asyncio.to_thread(links.shared_by, link_id)
    if shared is None:
        return None
    return SharedOut(kind=shared.link.kind, target=shared.link.target, expires_at=shared.link.expires_at)


def _with_cookie(cookie: str) -> Response:
    return Response(status_code=204, headers={"Set-Cookie": cookie, "Cache-Control": "no-store"})
