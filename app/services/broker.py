"""Kombu's Redis transport, changed so that no reply of Redis and no message ends or blocks a worker.

Celery reconnects after what a transport calls a connection error and dies of any other. Here every error of Redis is
one, whatever its kind: a wrong type, a full disk, a missing password, a replica. And a message that cannot be read is
logged and acknowledged: Kombu would keep it among those under way, of which a worker takes only a few.
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

from app.core.limits import ID_LENGTH
from app.core.logging import get_logger
from app.core.names import INFER, QUEUES, TASKS

log = get_logger(__name__)

ERRORS = (RedisError, KombuError, AMQPError, OSError)
"""raised where the broker is away or refuses"""
RINGS = 64
"""messages kept in a queue of jobs; any of them wakes a worker, so more say nothing new"""
PAUSE_S = 1.0
"""before the next attempt after Redis has refused a command"""
SHOWN = 200
"""characters of a skipped message in the log"""


def register() -> None:
    """Make Kombu use this transport for every Redis URL."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"


class Channel(redis.Channel):
    """Reads what it can and skips the rest."""

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Callable[[Message], None], *args: Any, **kwargs: Any
    ) -> Any:
        def deliver(message: Message) -> None:
            try:
                message.headers = _ours(message.headers)
                callback(message)
            except ERRORS:
                raise
            except Exception as error:  # a stranger's message may raise anything; the next one must be read
                _skip(queue, error, message.headers)
                if not message.acknowledged:
                    message.ack()

        return super().basic_consume(queue, no_ack, deliver, *args, **kwargs)

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except ResponseError:
            time.sleep(PAUSE_S)  # a refusal comes at once, and Celery would ask again at once
            raise
        except (Empty, *ERRORS):
            raise
        except Exception as error:  # no JSON, no UTF-8, or not the envelope of a message
            _skip(None, error, None)
            return True

    def _queue_bind(self, *binding: Any) -> None:
        """Keep no table in Redis: every message is sent to its queue by name."""

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        """Drop the message where enough rings wait in a queue of jobs."""
        if queue not in QUEUES.values() or self._size(queue) < RINGS:
            super()._put(queue, message, **kwargs)

    def probe(self) -> None:
        """Try what a ring needs: queues that are lists, a push and a pop. Raises where Redis refuses."""
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            for queue in set(QUEUES.values()):
                pipe.llen(queue)
            pipe.delete("probe").lpush("probe", 1).brpop("probe", 1)
            pipe.execute()


class Transport(redis.Transport):
    Channel = Channel
    connection_errors = (*redis.Transport.connection_errors, RedisError)


def _ours(headers: Any) -> dict[str, str]:
    """Keep the headers that a message of ours needs.

    Others would delay it, or let it expire by the worker's clock, which is not the sender's.
    """
    if headers["task"] not in (*TASKS.values(), INFER):
        raise ValueError("no task of ours")
    return {"task": headers["task"], "id": str(headers["id"])[:ID_LENGTH]}


def _skip(queue: str | None, error: Exception, headers: Any) -> None:
    shown = repr(headers)[:SHOWN]
    log.warning("message_skipped", queue=queue, error=f"{type(error).__name__}: {error}"[:SHOWN], headers=shown)
