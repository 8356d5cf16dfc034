"""One connection to a Forger: requests repeated where that is safe, replies read as the service's own types."""

import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2 as httpx
from httpx2 import EventSource, Response
from pydantic import BaseModel, ValidationError

from forger import address
from forger.address import Place
from forger.problems import Broken, ForgerProblem, Unreachable
from forger.schemas.base import Problem
from forger.wire import KEY_LENGTH

Read = TypeVar("Read", bound=BaseModel)

TRIES = 4
KEYED_TRIES = 250
"""more than a minute: so long a service that died over a request keeps its key"""
PAUSE_S = 0.3
CONNECT_S, TIMEOUT_S = 5.0, 120.0
"""to reach a service, and for its reply"""
UPLOAD = httpx.Timeout(900, connect=CONNECT_S)
SILENCE_S = 45.0
"""without even a comment, after which a stream counts as dropped: the service sends one each 15 s"""
KEY = "Idempotency-Key"
IN_PROGRESS = "idempotency_in_progress"
UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
"""OpenSSL's codes for a certificate that nobody known has signed (X509_V_ERR_...)"""


def once(key: str | None) -> dict[str, str]:
    """The header by which what is sent twice is made once: a key of the caller's, or a new one. Raises ValueError."""
    if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
        raise ValueError(f"An idempotency key is 1 to {KEY_LENGTH} printable ASCII characters.")
    return {KEY: key or uuid.uuid4().hex}


class Connection:
    """Raises ForgerProblem when the service refuses, Unreachable when none answers."""

    def __init__(self, place: Place, key: str | None, timeout: float = TIMEOUT_S) -> None:
        self._source = place.source
        try:
            self.url = address.checked(place.url)
            headers = address.bearer(key)
        except ValueError as error:
            raise Unreachable(str(error)) from None
        secure = urlsplit(self.url).scheme == "https"
        try:
            # A transport of its own asks no proxy: none lies on the way to this machine's own addresses.
            direct = httpx.HTTPTransport(trust_env=secure) if address.is_local(self.url) else None
            limits = httpx.Timeout(timeout, connect=min(CONNECT_S, timeout))
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=limits, transport=direct)
        except OSError as error:
            raise Unreachable(
                f"The certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read ({error}): name a file in PEM, or "
                "unset them."
            ) from error

    def close(self) -> None:
        self._http.close()

    def path(self, href: str) -> str:
        """A link of a reply as a path below our address, which may hold a proxy's prefix that links hold too."""
        own = urlsplit(self.url).path
        return href.removeprefix(own) if href.startswith(f"{own}/") else href

    def read(self, kind: type[Read], path: str, method: str = "GET", **asked: Any) -> Read:
        """The reply's body as one of the service's own types."""
        return self.parse(kind, self.ask(method, path, **asked))

    def parse(self, kind: type[Read], reply: Response) -> Read:
        try:
            return kind.model_validate_json(reply.content)
        except ValidationError as error:
            raise self._stranger() from error

    def ask(self, method: str, path: str, **asked: Any) -> Response:
        """Asked again when the connection breaks on the way, but only where twice is the same as once."""
        keyed = KEY in asked.get("headers", {})
        tries = KEYED_TRIES if keyed else TRIES if method == "GET" else 1
        broke = False
        while True:
            tries -= 1
            try:
                with self._named():
                    return self._accepted(self._http.request(method, path, **asked))
            except (Unreachable, ForgerProblem) as error:
                broke = broke or isinstance(error, Broken)  # from then on it may be starting again
                passing = broke if isinstance(error, Unreachable) else error.code == IN_PROGRESS
                if not passing or not tries:
                    raise
            time.sleep(PAUSE_S)

    @contextmanager
    def stream(self, path: str) -> Iterator[Response]:
        """The reply while its body is still coming."""
        with self._named(), self._http.stream("GET", path) as reply:
            yield self._accepted(reply)

    @contextmanager
    def events(self, path: str, after: int) -> Iterator[EventSource]:
        """The stream of events after `after`."""
        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        with self._named(), self._http.sse(path, headers={"Last-Event-ID": str(after)}, timeout=timeout) as source:
            self._accepted(source.response)
            yield source

    @contextmanager
    def _named(self) -> Iterator[None]:
        """A failed connection as Unreachable."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if (refused := _tls_error(error)) is not None:
                raise Unreachable(self._insecure(refused)) from error
            raise Unreachable(
                f"No Forger answers at {self.url} ({self._source}): start one with `forger serve`, or set FORGER_URL."
            ) from error
        except httpx.TransportError as error:
            raise Broken(
                f"The connection to {self.url} broke ({str(error) or type(error).__name__}): try again."
            ) from error

    def _accepted(self, reply: Response) -> Response:
        if reply.status_code < 400:
            return reply
        reply.read()
        try:
            problem = Problem.model_validate_json(reply.content)
        except ValidationError:
            raise self._stranger() from None
        raise ForgerProblem(problem)

    def _insecure(self, error: ssl.SSLError) -> str:
        if not isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"What answers at {self.url} ({self._source}) speaks no TLS with this client "
                f"({error.reason or error}): correct the address, which begins with http:// where there is no TLS."
            )
        begin = f"The certificate of {self.url} ({self._source}) is refused ({error.verify_message.rstrip('.')}): "
        if error.verify_code in UNKNOWN_ISSUER:
            return begin + "set SSL_CERT_FILE to a PEM file that holds it, or the one of the authority that signed it."
        return begin + "write the name it was made for into FORGER_URL, or have it renewed."

    def _stranger(self) -> Unreachable:
        return Unreachable(f"What answers at {self.url} is no Forger of this version: set FORGER_URL to the right one.")


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """The failure of TLS behind a failed connection, if it was one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
