"""Decide which web pages may use the service: its own, and those of FORGER_CORS_ORIGINS."""

from starlette.responses import Response
from starlette.types import Scope

from app.api.headers import SAFE_METHODS, header
from app.api.problems import problem
from app.core.settings import Settings

_OWN_SITES = frozenset({"same-origin", "none"})
"""Sec-Fetch-Site of requests by the service's own pages, or by the person at the address bar"""
SESSION_PATH = "/session"
_EXPOSED_HEADERS = (
    "Content-Disposition, Content-Range, ETag, Idempotency-Replayed, Location, Retry-After, WWW-Authenticate, "
    "Forger-Health, X-Forger-Class, X-Forger-Model, X-Forger-Seed, X-Request-Id"
)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Range, X-Request-Id"
    ),
    "Access-Control-Max-Age": "600",
}


class Origins:
    """The rules for requests that a browser sends for a page (CORS, cross-site requests)."""

    def __init__(self, settings: Settings) -> None:
        self._open = settings.origins
        # With a key this check is needed only for sessions: a page cannot know the key.
        self._guarded = settings.api_key is None

    def preflight(self, scope: Scope) -> Response | None:
        """Return the reply to a CORS preflight of an allowed origin; None for any other request."""
        preflight = scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None
        return Response(status_code=204, headers=_PREFLIGHT) if preflight and self._is_allowed(scope) else None

    def refusal(self, scope: Scope) -> Response | None:
        guarded = self._guarded or scope["path"] == SESSION_PATH
        if not guarded or scope["method"] in SAFE_METHODS or self._is_allowed(scope) or not self._is_foreign(scope):
            return None
        sentence = (
            "A page of another origin may not change anything here. FORGER_CORS_ORIGINS names origins that may, "
            "and with FORGER_API_KEY set every request needs the key."
        )
        return problem(scope, 403, sentence, code="foreign_origin")

    def refusal_of_session(self, scope: Scope) -> Response | None:
        """Return the refusal of an unsafe request with a session's cookie; None if a page of this service sent it."""
        if header(scope, b"origin") is not None and not self._is_foreign(scope):
            return None
        sentence = "A session may change things only from this service's own pages (Origin). Programs send the key."
        return problem(scope, 403, sentence, code="foreign_origin")

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return the CORS headers of a reply."""
        if not self._open:
            return []
        vary = (b"vary", b"Origin")
        if not self._is_allowed(scope):
            return [vary]
        origin = (header(scope, b"origin") or "").encode("latin-1")
        exposed = (b"access-control-expose-headers", _EXPOSED_HEADERS.encode())
        return [vary, (b"access-control-allow-origin", origin), exposed]

    def _is_allowed(self, scope: Scope) -> bool:
        return bool(self._open) and (header(scope, b"origin") or "").lower() in self._open

    def _is_foreign(self, scope: Scope) -> bool:
        """Return whether a browser sent this for a page of another origin. Other clients send neither header."""
        site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
        if site is not None and site.lower() not in _OWN_SITES:
            return True
        return origin is not None and origin.lower().partition("://")[2] != (header(scope, b"host") or "").lower()
