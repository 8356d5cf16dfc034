"""Send requests to a service, repeat them where that is safe, and parse the replies."""

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
from forger.address import ServiceAddress
from forger.problems import Broken, ForgerProblem, Unreachable
from forger.schemas.base import Problem
from forger.wire import MAX_KEY_CHARACTERS

ReplyT = TypeVar("ReplyT", bound=BaseModel)

TRIES = 4
KEYED_TRIES = 250
"""tries for more than a minute: a service that died during a request holds the key that long"""
PAUSE_S = 0.3
CONNECT_S, TIMEOUT_S = 5.0, 120.0
"""seconds to connect to a service, and to wait for its reply"""
UPLOAD_TIMEOUT = httpx.Timeout(900, connect=CONNECT_S)
SILENCE_S = 45.0
"""seconds of silence after which a stream counts as dropped: the service sends a comment every 15 s"""
KEY_HEADER = "Idempotency-Key"
IN_PROGRESS = "idempotency_in_progress"
UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
"""OpenSSL's codes for a certificate of an unknown issuer (X509_V_ERR_...)"""


def idempotency_header(key: str | None) -> dict[str, str]:
    """Return the Idempotency-Key header, with the caller's key or a new one. Raises ValueError for a malformed key."""
    if key is not None and not (0 < len(key) <= MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise ValueError(f"An idempotency key is 1 to {MAX_KEY_CHARACTERS} printable ASCII characters.")
    return {KEY_HEADER: key or uuid.uuid4().hex}


class Connection:
    """A connection to a service. Its methods raise ForgerProblem for a refusal, Unreachable if no service answers."""

    def __init__(self, place: ServiceAddress, key: str | None, timeout: float = TIMEOUT_S) -> None:
        self._source = place.source
        try:
            self.url = address.validated_url(place.url)
            headers = address.auth_header(key)
        except ValueError as error:
            raise Unreachable(str(error)) from None
        secure = urlsplit(self.url).scheme == "https"
        try:
            # An explicit transport uses no proxy: there is none on the way to this machine's own addresses.
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
        """Return a reply's link as a path below `url`: both may contain a proxy's prefix."""
        prefix = urlsplit(self.url).path
        return href.removeprefix(prefix) if href.startswith(f"{prefix}/") else href

    def studio(self, path: str = "") -> str:
        """Return the address of the studio, or of one of its pages: `jobs/job_1`."""
        return f"{self.url}/studio{path and f'/{path}'}"

    def read(self, kind: type[ReplyT], path: str, method: str = "GET", **options: Any) -> ReplyT:
        """Return the body of the reply as the reply type `kind`."""
        return self.parse(kind, self.request(method, path, **options))

    def parse(self, kind: type[ReplyT], reply: Response) -> ReplyT:
        try:
            return kind.model_validate_json(reply.content, context=self.studio())
        except ValidationError as error:
            raise self._stranger() from error

    def request(self, method: str, path: str, **options: Any) -> Response:
        """Send a request. Repeat it after a broken connection if it is idempotent: a GET, or one with a key."""
        keyed = KEY_HEADER in options.get("headers", {})
        tries = KEYED_TRIES if keyed else TRIES if method == "GET" else 1
        broke = False
        while True:
            tries -= 1
            try:
                with self._named():
                    return self._accepted(self._http.request(method, path, **options))
            except (Unreachable, ForgerProblem) as error:
                # After a broken connection the service may be restarting.
                broke = broke or isinstance(error, Broken)
                transient = broke if isinstance(error, Unreachable) else error.code == IN_PROGRESS
                if not transient or not tries:
                    raise
            time.sleep(PAUSE_S)

    @contextmanager
    def stream(self, path: str, **options: Any) -> Iterator[Response]:
        """Yield the reply while its body is still arriving."""
        with self._named(), self._http.stream("GET", path, **options) as reply:
            yield self._accepted(reply)

    @contextmanager
    def events(self, path: str, after: int) -> Iterator[EventSource]:
        """Yield the stream of the events after `after`."""
        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        with self._named(), self._http.sse(path, headers={"Last-Event-ID": str(after)}, timeout=timeout) as source:
            self._accepted(source.response)
            yield source

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Raise Unreachable, or Broken, for a failed connection in the block."""
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
    """Return the TLS error that caused a failed connection; None if there was none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
