"""Serve /session: exchange the API key for a cookie."""

from fastapi import APIRouter, Depends, Request, Response

from app.api.deps import SettingsDep, require_json
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute
from app.api.sessions import KEY_WRONG, Sessions, is_key
from app.core.errors import Unauthorized
from app.schemas.session import SessionIn
from forger.schemas.catalog import SessionOut

router = APIRouter(prefix="/session", tags=["session"], route_class=JsonRoute)


@router.post("", status_code=204, dependencies=[Depends(require_json)], responses=refusal_responses(401))
async def start_session(body: SessionIn, request: Request, settings: SettingsDep) -> Response:
    """Start a session: the cookie of the reply replaces the key. A service without a key sets no cookie."""
    if settings.api_key is None:
        return Response(status_code=204)
    if not is_key(settings, body.key.get_secret_value().encode()):
        raise Unauthorized(KEY_WRONG)
    return _with_cookie(Sessions(settings).start(request.url.scheme))


@router.get("")
async def get_session(request: Request, settings: SettingsDep) -> SessionOut:
    """Say whether the service requires a key, and whether this browser has a session."""
    return SessionOut(key_required=settings.api_key is not None, signed_in=Sessions(settings).holds(request.scope))


@router.delete("", status_code=204)
async def end_session(request: Request, settings: SettingsDep) -> Response:
    """End the session of this browser."""
    return _with_cookie(Sessions(settings).end(request.url.scheme))


def _with_cookie(cookie: str) -> Response:
    return Response(status_code=204, headers={"Set-Cookie": cookie, "Cache-Control": "no-store"})
