"""Kombu's Redis transport, changed so that no reply of Redis and no message ends or blocks a worker.

Celery reconnects after the errors that its transport lists as connection errors, and dies of any other. Here every
error of Redis is listed: a wrong type, a full disk, a missing password, a replica. A message that cannot be read is
logged and acknowledged: Kombu would count it among the unacknowledged messages, of which a worker takes only a few.
"""

import time
from collections.abc import Callable
from queue import Empty
from typing import Any

from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from kombu.message import Message
from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import RedisError, ResponseError

from app.core.limits import MAX_ID_CHARACTERS
from app.core.logging import get_logger
from app.core.names import INFER_TASK, QUEUES, TASKS

log = get_logger(__name__)

ERRORS = (RedisError, KombuError, AMQPError, OSError)
"""raised if the broker is unreachable or refuses a command"""
MAX_RINGS = 64
"""messages kept in a queue of jobs; each wakes a worker, so more are not needed"""
REFUSAL_PAUSE_S = 1.0
"""pause before the next read after Redis has refused a command"""
MAX_SHOWN_LENGTH = 200
"""characters of a skipped message in the log"""


def register() -> None:
    """Make Kombu use this transport for every Redis URL."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"


class Channel(redis.Channel):
    """A channel that skips messages which it cannot read."""

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Callable[[Message], None], *args: Any, **kwargs: Any
    ) -> Any:
        def deliver(message: Message) -> None:
            try:
                message.headers = _known_headers(message.headers)
                callback(message)
            except ERRORS:
                raise
            except Exception as error:  # a foreign message may raise anything; the next one must be read
                _skip(queue, error, message.headers)
                if not message.acknowledged:
                    message.ack()

        return super().basic_consume(queue, no_ack, deliver, *args, **kwargs)

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except ResponseError:
            time.sleep(REFUSAL_PAUSE_S)  # a refusal comes at once, and Celery would ask again at once
            raise
        except (Empty, *ERRORS):
            raise
        except Exception as error:  # no JSON, no UTF-8, or not the envelope of a message
            _skip(None, error, None)
            return True

    def _queue_bind(self, *binding: Any) -> None:
        """Keep no table in Redis: every message is sent to its queue by name."""

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        """Drop the message if a queue of jobs has enough messages."""
        if queue not in QUEUES.values() or self._size(queue) < MAX_RINGS:
            super()._put(queue, message, **kwargs)

    def probe(self) -> None:
        """Check what a ring needs: queues that are lists, a push and a pop. Raises one of ERRORS."""
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            for queue in set(QUEUES.values()):
                pipe.llen(queue)
            pipe.delete("probe").lpush("probe", 1).brpop("probe", 1)
            pipe.execute()


class Transport(redis.Transport):
    Channel = Channel
    connection_errors = (*redis.Transport.connection_errors, RedisError)


def _known_headers(headers: Any) -> dict[str, str]:
    """Return the headers that a message of Forger needs. Raises ValueError for the message of another task.

    Other headers would delay it, or let it expire by the worker's clock, which may differ from the sender's.
    """
    if headers["task"] not in (*TASKS.values(), INFER_TASK):
        raise ValueError("no task of ours")
    return {"task": headers["task"], "id": str(headers["id"])[:MAX_ID_CHARACTERS]}


def _skip(queue: str | None, error: Exception, headers: Any) -> None:
    shown = repr(headers)[:MAX_SHOWN_LENGTH]
    log.warning(
        "message_skipped", queue=queue, error=f"{type(error).__name__}: {error}"[:MAX_SHOWN_LENGTH], headers=shown
    )
