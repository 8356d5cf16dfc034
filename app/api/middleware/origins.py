"""Which web pages may use the service: those that it serves itself, and those of FORGER_CORS_ORIGINS."""

from starlette.responses import Response
from starlette.types import Scope

from app.api.headers import SAFE, header
from app.api.problems import problem
from app.core.settings import Settings

_OWN = frozenset({"same-origin", "none"})
"""what browsers say of a request by our own page, or by the person at the address bar"""
_SHOWN = (
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
    """The rule for requests that a browser sends for a page."""

    def __init__(self, settings: Settings) -> None:
        self._open = settings.origins
        self._guarded = settings.api_key is None  # a page cannot know the key, and no cookie stands for it

    def preflight(self, scope: Scope) -> Response | None:
        """Return the answer to a browser that asks whether a page may send its request."""
        asks = scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None
        return Response(status_code=204, headers=_PREFLIGHT) if asks and self._named(scope) else None

    def refusal(self, scope: Scope) -> Response | None:
        if not self._guarded or scope["method"] in SAFE or self._named(scope) or not self._foreign(scope):
            return None
        sentence = (
            "A page of another origin may not change anything here. FORGER_CORS_ORIGINS names origins that may, "
            "and with FORGER_API_KEY set every request needs the key."
        )
        return problem(scope, 403, sentence, code="foreign_origin")

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return what a reply says about who may read it."""
        if not self._open:
            return []
        vary = (b"vary", b"Origin")
        if not self._named(scope):
            return [vary]
        origin = (header(scope, b"origin") or "").encode("latin-1")
        shown = (b"access-control-expose-headers", _SHOWN.encode())
        return [vary, (b"access-control-allow-origin", origin), shown]

    def _named(self, scope: Scope) -> bool:
        return bool(self._open) and (header(scope, b"origin") or "").lower() in self._open

    def _foreign(self, scope: Scope) -> bool:
        """Whether a browser sent this for a page that is not ours. Other clients send neither header."""
        site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
        if site is not None and site.lower() not in _OWN:
            return True
        return origin is not None and origin.lower().partition("://")[2] != (header(scope, b"host") or "").lower()
