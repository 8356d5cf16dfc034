"""Execute a repeated request once: claim its key first, and record the reply with the rows that it creates."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import Conflict, Invalid
from app.db.repositories import keys
from app.db.session import unit_of_work

REPLY_TIMEOUT_S = 60.0
"""after this time without a reply the process that claimed a key has died, and another may claim it"""
KEY_LIFETIME_S = 24 * 3600.0

RecordReply = Callable[[Session, str], None]
"""records, in the caller's transaction, the id of the job or experiment that is the reply to the key"""


@dataclass(frozen=True, slots=True)
class Replay:
    """The job or experiment that an earlier request with the same key created."""

    id: str


def fingerprint(body: Any) -> str:
    """Return the SHA-256 of a JSON value; the order of its members does not matter."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def once(key: str | None, fingerprint: str) -> Iterator[Replay | RecordReply | None]:
    """Yield a Replay, or the function with which the block must record its reply; None without a key.

    A block that fails frees the key. Raises Conflict while the first request is being answered, and Invalid if the key
    was sent with another body before.
    """
    if key is None:
        yield None
        return
    with unit_of_work() as session:
        keys.delete_expired(session, lifetime_s=KEY_LIFETIME_S, reply_timeout_s=REPLY_TIMEOUT_S, key=key)
        row, new = keys.take(session, key, fingerprint)
    if row is None:
        raise _in_progress()
    if row.fingerprint != fingerprint:
        sentence = "This Idempotency-Key was sent with another body before. Send a new key with each new request."
        raise Invalid(sentence, code="idempotency_mismatch")
    if created_id := row.job_id or row.experiment_id:
        yield Replay(created_id)
        return
    if not new:
        raise _in_progress()
    taken_at = row.created_at

    def record_reply(session: Session, created_id: str) -> None:
        if not keys.record_reply(session, key, taken_at, created_id):
            raise _in_progress()

    try:
        yield record_reply
    except BaseException:
        with unit_of_work() as session:
            keys.free(session, key, taken_at)
        raise


def delete_expired() -> None:
    """Delete the keys that are older than KEY_LIFETIME_S, and those without a reply within REPLY_TIMEOUT_S."""
    with unit_of_work() as session:
        keys.delete_expired(session, lifetime_s=KEY_LIFETIME_S, reply_timeout_s=REPLY_TIMEOUT_S)


def _in_progress() -> Conflict:
    sentence = "A request with this Idempotency-Key is being answered. Send it again in a second to get the reply."
    return Conflict(sentence, code="idempotency_in_progress", headers={"Retry-After": "1"})
