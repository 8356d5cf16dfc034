"""Check the API key of a request, or the cookie that a browser got for it or for a link.

EventSource, <img> and downloads cannot send an Authorization header, so a browser needs a cookie. It holds a signed
time and whether it stands for the key or for a link. No process stores it: it is valid in all of them, until it
expires or the key changes. That of a link shows something only while the link's row is there.
"""

import hmac
from http.cookies import CookieError, SimpleCookie

from itsdangerous import BadSignature, Signer, TimestampSigner
from starlette.types import Scope

from app.api.headers import header
from app.core.settings import Settings

COOKIE = "forger_session"
MAX_AGE_S = 30 * 24 * 3600
KEY_WRONG = "The key that was sent is not this service's: send the one of FORGER_API_KEY it was started with."
LINK_ENDED = "This link has ended, was revoked, or its address was not copied whole. Ask for a new one."
NOT_SHARED = "This link shows one thing only, and this is not part of it. Sign in with the service's key to see it."
KEY_MISSING = "This service requires a key: send FORGER_API_KEY as 'Authorization: Bearer <key>'."
_SALT = "forger session"
_LINK_SALT = "forger link"
_SESSION = "1"
"""the signed value; another one would end all sessions"""


def is_key(settings: Settings, sent: bytes) -> bool:
    """Return whether the service has a key and `sent` is that key. The time does not depend on the bytes."""
    key = settings.api_key
    return key is not None and hmac.compare_digest(sent, key.get_secret_value().encode())


class Sessions:
    """Signs and checks the cookies of one service."""

    def __init__(self, settings: Settings) -> None:
        key = settings.api_key.get_secret_value() if settings.api_key else None
        self._signer = None if key is None else TimestampSigner(key, salt=_SALT)
        self._link_signer = None if key is None else Signer(key, salt=_LINK_SALT)
        self._path = settings.root_path + "/"

    def start(self, scheme: str, link_id: str | None = None) -> str:
        """Return the Set-Cookie header of a new session, that of a link if there is one.

        The cookie is Secure if `scheme` is https.
        """
        assert self._signer is not None
        return self._cookie(self._signer.sign(link_id or _SESSION).decode(), MAX_AGE_S, scheme)

    def token(self, link_id: str) -> str:
        """Return the signed form of a link's id, which its address carries."""
        assert self._link_signer is not None
        return self._link_signer.sign(link_id).decode()

    def link_of(self, token: str) -> str | None:
        """Return the id that `token` signs; None if its signature is wrong."""
        try:
            return None if self._link_signer is None else self._link_signer.unsign(token.encode()).decode()
        except BadSignature:
            return None

    def end(self, scheme: str) -> str:
        """Return the Set-Cookie header that makes a browser forget its session."""
        return self._cookie("", 0, scheme)

    def holds(self, scope: Scope) -> bool:
        """Return whether a request carries the cookie of a session that has not expired, and not that of a link."""
        return self._signed(scope) == _SESSION

    def link(self, scope: Scope) -> str | None:
        """Return the id of the link whose session a request carries; None if it carries none."""
        signed = self._signed(scope)
        return None if signed == _SESSION else signed

    def _signed(self, scope: Scope) -> str | None:
        if self._signer is None or (sent := header(scope, b"cookie")) is None:
            return None
        try:
            cookie = SimpleCookie(sent).get(COOKIE)
            return None if cookie is None else self._signer.unsign(cookie.value, max_age=MAX_AGE_S).decode()
        except (BadSignature, CookieError):
            return None

    def _cookie(self, value: str, max_age_s: int, scheme: str) -> str:
        secure = "; Secure" if scheme == "https" else ""
        return f"{COOKIE}={value}; Path={self._path}; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"
