"""Broken messages in the task queue, made from a valid one."""

import base64
import json
from collections.abc import Callable
from typing import Any

from redis import Redis

from app.core.names import BROKER_PREFIX, QUEUES
from app.services import queue
from forger.wire import TRAIN

QUEUE = BROKER_PREFIX + QUEUES[TRAIN]
Envelope = dict[str, Any]
Change = Callable[[Envelope], object]


def body(value: object) -> Change:
    return lambda envelope: envelope.update(body=base64.b64encode(json.dumps(value).encode()).decode())


def headers(**changed: object) -> Change:
    return lambda envelope: envelope["headers"].update(changed)


def without(*path: str) -> Change:
    def drop(envelope: Envelope) -> None:
        *parents, last = path
        for name in parents:
            envelope = envelope[name]
        del envelope[last]

    return drop


NO_ENVELOPES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"junk",
    "no UTF-8": b"\xff\xfe\x00{",
    "a number": b"7",
    "a list": b"[1, 2, 3]",
    "an empty object": b"{}",
    "null": b"null",
    "deep": b"[" * 200_000,
    "huge": b"x" * (32 << 20),
}
CHANGES: dict[str, Change] = {
    "no properties": without("properties"),
    "no delivery tag": without("properties", "delivery_tag"),
    "a delivery tag that is a list": lambda envelope: envelope["properties"].update(delivery_tag=[1]),
    "no delivery info": without("properties", "delivery_info"),
    "no headers": without("headers"),
    "headers that are a list": lambda envelope: envelope.update(headers=[1]),
    "no body": without("body"),
    "a body that is no base64": lambda envelope: envelope.update(body="%%%"),
    "a body that is no JSON": lambda envelope: envelope.update(body=base64.b64encode(b"\x80{").decode()),
    "a body that is a number": body(7),
    "a body of two": body([[], {}]),
    "arguments that are a number": body([7, {}, {}]),
    "no arguments": body([[], {}, {}]),
    "too many arguments": body([[1, 2, 3], {}, {}]),
    "an argument of another type": body([[{"job": 1}], {}, {}]),
    "unknown keywords": body([["job_1"], {"sudo": True}, {}]),
    "options that are a list": body([["job_1"], {}, [1]]),
    "pickle": lambda envelope: envelope.update({"content-type": "application/x-python-serialize"}),
    "an unknown content type": lambda envelope: envelope.update({"content-type": "a/b"}),
    "an unknown encoding": lambda envelope: envelope.update({"content-encoding": "utf-77"}),
    "an unknown body encoding": lambda envelope: envelope["properties"].update(body_encoding="rot13"),
    "an unknown compression": headers(compression="middle-out"),
    "no task": without("headers", "task"),
    "an unknown task": headers(task="os.system"),
    "a task that is a list": headers(task=[1]),
    "a task without end": headers(task="x" * 1_000_000),
    "no id": without("headers", "id"),
    "an odd deadline": headers(expires="yesterday", eta="tomorrow"),
    "a deadline that is over": headers(expires="2001-01-01T00:00:00+00:00"),
    "a time that is far": headers(eta="2999-01-01T00:00:00+00:00"),
    "an odd time limit": headers(timelimit="soon"),
    "odd retries": headers(retries={"a": 1}),
}


def messages(redis: Redis) -> list[bytes]:
    """Return one message of each kind. The queue is empty afterwards."""
    assert queue.ring("job_1")
    valid: Any = redis.rpop(QUEUE)
    changed = []
    for change in CHANGES.values():
        envelope = json.loads(valid)
        change(envelope)
        changed.append(json.dumps(envelope).encode())
    return [*NO_ENVELOPES.values(), *changed]
