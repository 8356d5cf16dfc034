"""Encode what the API and its inference workers send each other through Redis: a line of JSON, then bytes.

While somebody waits for an answer, a mark stands in Redis under the request's random id. It holds the picture that was
sent along, if any, until a worker takes it; and it goes when the client leaves, the deadline passes, or Redis is wiped.
A request without its mark is not worked on. No clock but that of Redis counts.
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
AWAY = (RedisError, OSError)
"""what a Redis raises that does not answer"""
SOCKET_S = 5.0
SHOWN = 200
"""characters of what is wrong with a parcel"""
ANSWER_S = 60
"""after which an answer goes that nobody takes"""


class Unreadable(ValueError):
    """The bytes are no parcel."""


def connect(settings: Settings, *, retries: int) -> "Redis":
    """A client for any number of threads."""
    url = settings.redis_url or f"unix://{settings.redis_socket}"
    retry = Retry(NoBackoff(), retries)
    return Redis.from_url(url, socket_timeout=SOCKET_S, socket_connect_timeout=SOCKET_S, retry=retry)


def mark(id_: str) -> str:
    return f"{BROKER_PREFIX}asked:{id_}"


def answers(id_: str) -> str:
    """The list that one API process takes its answers from."""
    return f"{BROKER_PREFIX}answers:{id_}"


def pack(head: Mapping[str, Any], array: Array | None = None) -> bytes:
    if array is None:
        return json.dumps(head).encode() + b"\n"
    described = {**head, "dtype": array.dtype.str, "shape": array.shape}
    return json.dumps(described).encode() + b"\n" + array.tobytes()


def unpack(parcel: bytes) -> tuple[dict[str, Any], Array | None]:
    """The array may be written to. Raises Unreadable, whatever the bytes are."""
    try:
        end = parcel.index(b"\n")
        head = dict(json.loads(parcel[:end]))
        if "shape" not in head:
            return head, None
        flat = np.frombuffer(parcel, np.dtype(head["dtype"]), offset=end + 1)
        return head, flat.reshape(head["shape"]).copy()
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:SHOWN]) from error
