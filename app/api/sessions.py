"""Check the API key of a request, or the cookie that a browser got for it.

EventSource, <img> and downloads cannot send an Authorization header, so a browser needs a cookie. It holds a signed
time and nothing else. No process stores it: it is valid in all of them, until it expires or the key changes.
"""

import hmac
from http.cookies import CookieError, SimpleCookie

from itsdangerous import BadSignature, TimestampSigner
from starlette.types import Scope

from app.api.headers import header
from app.core.settings import Settings

COOKIE = "forger_session"
MAX_AGE_S = 30 * 24 * 3600
KEY_WRONG = "The key that was sent is not this service's: send the one of FORGER_API_KEY it was started with."
KEY_MISSING = "This service requires a key: send FORGER_API_KEY as 'Authorization: Bearer <key>'."
_SALT = "forger session"
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
        self._path = settings.root_path + "/"

    def start(self, scheme: str) -> str:
        """Return the Set-Cookie header of a new session. The cookie is Secure if `scheme` is https."""
        assert self._signer is not None
        return self._cookie(self._signer.sign(_SESSION).decode(), MAX_AGE_S, scheme)

    def end(self, scheme: str) -> str:
        """Return the Set-Cookie header that makes a browser forget its session."""
        return self._cookie("", 0, scheme)

    def holds(self, scope: Scope) -> bool:
        """Return whether a request carries the cookie of a session that has not expired."""
        if self._signer is None or (sent := header(scope, b"cookie")) is None:
            return False
        try:
            cookie = SimpleCookie(sent).get(COOKIE)
            return cookie is not None and self._signer.unsign(cookie.value, max_age=MAX_AGE_S) == _SESSION.encode()
        except (BadSignature, CookieError):
            return False

    def _cookie(self, value: str, max_age_s: int, scheme: str) -> str:
        secure = "; Secure" if scheme == "https" else ""
        return f"{COOKIE}={value}; Path={self._path}; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"
