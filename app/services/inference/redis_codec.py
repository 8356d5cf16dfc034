"""Encode the payloads that the API and its inference workers exchange through Redis: a line of JSON, then bytes.

While a client waits for a reply, Redis has a mark under the request's random id. The mark holds the uploaded picture
or the sent latents, if there are any, until a worker takes them. It is deleted when the client disconnects, and gone
when the deadline passes or Redis is wiped. A worker drops a request without a mark. Only the clock of Redis counts.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.core.names import BROKER_PREFIX
from app.core.settings import Settings

Array = NDArray[Any]
REDIS_ERRORS = (RedisError, OSError)
"""errors of a Redis that does not answer"""
SOCKET_TIMEOUT_S = 5.0
MAX_ERROR_LENGTH = 200
"""characters of the error of an unreadable payload"""
REPLY_LIFETIME_S = 60
"""seconds after which Redis drops a reply that nobody takes"""


class PayloadUnreadable(ValueError):
    """The error that bytes are no payload."""


def connect(settings: Settings, *, retries: int) -> "Redis":
    """Return a client that any number of threads may share."""
    url = settings.redis_url or f"unix://{settings.redis_socket}"
    retry = Retry(NoBackoff(), retries)
    return Redis.from_url(url, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=SOCKET_TIMEOUT_S, retry=retry)


def mark_key(id_: str) -> str:
    """Return the key of a request's mark."""
    return f"{BROKER_PREFIX}asked:{id_}"


def replies_key(id_: str) -> str:
    """Return the key of the list from which one API process takes its replies."""
    return f"{BROKER_PREFIX}answers:{id_}"


def pack(head: Mapping[str, Any], array: Array | None = None) -> bytes:
    """Encode a JSON object, and an array if there is one."""
    if array is None:
        return json.dumps(head).encode() + b"\n"
    described = {**head, "dtype": array.dtype.str, "shape": array.shape}
    return json.dumps(described).encode() + b"\n" + array.tobytes()


def unpack(payload: bytes) -> tuple[dict[str, Any], Array | None]:
    """Decode a payload; the array is writable. Raises only PayloadUnreadable, whatever the bytes are."""
    try:
        end = payload.index(b"\n")
        head = dict(json.loads(payload[:end]))
        if "shape" not in head:
            return head, None
        flat = np.frombuffer(payload, np.dtype(head["dtype"]), offset=end + 1)
        return head, flat.reshape(head["shape"]).copy()
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise PayloadUnreadable(f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]) from error
