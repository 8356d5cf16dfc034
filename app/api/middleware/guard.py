"""Check each request before any route: its host, its key, the size of its body."""

import asyncio
import re
from collections.abc import Iterator
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.headers import OPEN_PATHS, OPEN_PREFIXES, PROTECTIVE_HEADERS, SAFE_METHODS, header, prefers_page
from app.api.link_access import allows
from app.api.middleware.origins import Origins
from app.api.problems import REQUEST_ID, problem
from app.api.sessions import KEY_MISSING, KEY_WRONG, LINK_ENDED, NOT_SHARED, Sessions, is_key
from app.core.limits import MAX_QUERY_PARAMETERS
from app.core.settings import Settings
from app.services import links

UPLOAD_LIMITS = {
    "/translate": "max_upload_bytes",
    "/inpaint": "max_upload_bytes",
    "/upscale": "max_upload_bytes",
    "/features": "max_upload_bytes",
    "/invert": "max_upload_bytes",
    "/datasets": "max_dataset_bytes",
    "/models/import": "max_model_bytes",
}
"""paths that accept files, and the setting that limits all files of a request together"""
MULTIPART_MARGIN = 64 << 10
"""bytes that a multipart body may have in addition to its file: boundaries, headers and small fields"""
_REQUEST_ID_HEADER = REQUEST_ID.lower().encode()
_PROTECTIVE_HEADERS = {name.lower().encode(): value.encode() for name, value in PROTECTIVE_HEADERS.items()}
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE)
"""a name or address with an optional port (RFC 9112): no user, no path"""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Pure ASGI middleware: it costs little and sees every reply, also those of the framework."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = _LOOPBACK | {settings.host.lower()} | settings.host_names
        self._origins = Origins(settings)
        self._any_host = settings.api_key is not None and settings.hosts is None
        self._sessions = Sessions(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _SendWrapper(scope, receive, send, self._origins)
        if reply := self._host_refusal(scope) or self._origins.preflight(scope) or await self._refusal(scope):
            await reply(scope, receive, send)
        else:
            await self._app(scope, _BoundedBody(receive, *self._limit(scope)), send)

    def _limit(self, scope: Scope) -> tuple[int, str]:
        """Return the most bytes of the body, and the refusal of more, which names the setting as /limits does."""
        setting = UPLOAD_LIMITS.get(scope["path"], "max_body_bytes")
        margin = MULTIPART_MARGIN if scope["path"] in UPLOAD_LIMITS else 0
        if scope["path"] == "/jobs" and (header(scope, b"content-type") or "").lower().startswith("multipart/"):
            setting, margin = "max_dataset_bytes", MULTIPART_MARGIN
        limit = getattr(self._settings, setting)
        return limit + margin, _too_large(limit, setting)

    def _host_refusal(self, scope: Scope) -> Response | None:
        """Return the refusal of a request for another host name; None if it may pass."""
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            return problem(scope, 400, "A request names one host: send one Host header.")
        host = header(scope, b"host")
        name = _host_name(host or "")
        # HTTP/1.0 has no Host header.
        if self._any_host and (name or host is None):
            return None
        if name not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            sentence = f"This server answers only as {names}. FORGER_HOSTS adds names."
            return problem(scope, 421, sentence, code="unknown_host")
        return None

    async def _key_refusal(self, scope: Scope) -> Response | None:
        """Return the refusal of a request without the key and without a session; None if it may pass."""
        if self._settings.api_key is None or not _needs_key(scope):
            return None
        scheme, _, key = (header(scope, b"authorization") or "").partition(" ")
        sent = key.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
        if is_key(self._settings, sent):
            return None
        if not sent and self._sessions.holds(scope):
            return None if scope["method"] in SAFE_METHODS else self._origins.refusal_of_session(scope)
        if not sent and (link_id := self._sessions.link(scope)) is not None:
            return await self._link_refusal(scope, link_id)
        code, sentence = ("key_wrong", KEY_WRONG) if sent else ("key_missing", KEY_MISSING)
        return problem(scope, 401, sentence, code=code, headers={"WWW-Authenticate": "Bearer"})

    async def _link_refusal(self, scope: Scope, link_id: str) -> Response | None:
        """Return the refusal of a request with the session of a link; None if the link shows what it requests."""
        shared = await asyncio.to_thread(links.shared_by, link_id)
        if shared is None:
            return problem(scope, 401, LINK_ENDED, code="link_ended", headers={"WWW-Authenticate": "Bearer"})
        if not allows(shared, scope):
            return problem(scope, 403, NOT_SHARED, code="not_shared")
        scope["state"]["link"] = link_id
        return None if scope["method"] in SAFE_METHODS else self._origins.refusal_of_session(scope)

    async def _refusal(self, scope: Scope) -> Response | None:
        if refusal := self._origins.refusal(scope) or await self._key_refusal(scope):
            return refusal
        # PostgreSQL cannot store NUL in text.
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return problem(scope, 400, "An address holds no NUL character (%00): leave it out.")
        if scope["query_string"].count(b"&") >= MAX_QUERY_PARAMETERS:
            return problem(
                scope, 400, f"An address has at most {MAX_QUERY_PARAMETERS} parameters (parameters): send fewer."
            )
        declared = header(scope, b"content-length") or "0"
        limit, sentence = self._limit(scope)
        if declared.isdecimal() and int(declared[:19]) > limit:
            return problem(scope, 413, sentence, code="too_large")
        return None


def _needs_key(scope: Scope) -> bool:
    path: str = scope["path"]
    return not (path in OPEN_PATHS or path.startswith(OPEN_PREFIXES) or (path == "/" and prefers_page(scope)))


@lru_cache(256)
def _host_name(host: str) -> str | None:
    """Return the host of a Host header, in lower case; None if the header is malformed.

    Checking it prevents DNS rebinding: a web page that reaches the service by a name of its own.
    """
    match = _HOST.fullmatch(host)
    return match and match[1].strip("[]").lower()


def _too_large(limit: int, setting: str) -> str:
    return f"The body is larger than this address accepts: the limit is {limit} bytes ({setting}). Send less."


class _BoundedBody:
    """A receiver of the body: it raises once the body exceeds the limit, whatever its headers say."""

    def __init__(self, receive: Receive, limit: int, refusal: str) -> None:
        self._receive = receive
        self._remaining = limit
        self._refusal = refusal

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._remaining -= len(message.get("body", b""))
            if self._remaining < 0:
                raise HTTPException(413, self._refusal)
        return message


class _SendWrapper:
    """A wrapper of `send`: it adds missing headers, and replaces the framework's plain-text errors by problems."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, origins: Origins) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._origins = origins
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if message["status"] >= 400 and (header(message, b"content-type") or "").startswith("text/plain"):
                self._replaced = True
                await self._as_problem(message["status"], Headers(scope=message))(
                    self._scope, self._receive, self._send
                )
                return
            message["headers"] = [*message["headers"], *self._missing_headers(message)]
        await self._send(message)

    def _missing_headers(self, message: Message) -> Iterator[tuple[bytes, bytes]]:
        present = {name for name, _ in message["headers"]}
        if _REQUEST_ID_HEADER not in present:
            yield _REQUEST_ID_HEADER, self._scope["state"]["request_id"].encode("latin-1")
        yield from ((name, value) for name, value in _PROTECTIVE_HEADERS.items() if name not in present)
        yield from self._origins.headers(self._scope)

    def _as_problem(self, status: int, headers: Headers) -> Response:
        kept = {name: headers[name] for name in ("allow", "content-range", "retry-after") if name in headers}
        return problem(self._scope, status, "The request cannot be answered as it is written.", headers=kept)
