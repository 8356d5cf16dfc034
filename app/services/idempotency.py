"""Answer a repeated request once: take its key first, and store the answer with what it creates."""

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

ANSWER_S = 60.0
"""After this time without an answer the process that took a key has died, and another may take it."""
KEEP_S = 24 * 3600.0

Answer = Callable[[Session, str], None]
"""Names, in the caller's transaction, the job or experiment that answers the key."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The request was answered before, by this job or experiment."""

    id: str


def fingerprint(body: Any) -> str:
    """Of a JSON value, whatever the order of its members."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def once(key: str | None, mark: str) -> Iterator[Replay | Answer | None]:
    """A Replay, or what the block must call beside making what is asked; None without a key.

    A block that fails frees the key. Raises Conflict while the first request is being answered, Invalid where
    the key came with another body.
    """
    if key is None:
        yield None
        return
    with unit_of_work() as session:
        keys.forget(session, keep_s=KEEP_S, answer_s=ANSWER_S, key=key)
        row, new = keys.take(session, key, mark)
    if row is None:
        raise _in_progress()
    if row.fingerprint != mark:
        sentence = "This Idempotency-Key came with another body before. Send a key of its own with each request."
        raise Invalid(sentence, code="idempotency_mismatch")
    if made := row.job_id or row.experiment_id:
        yield Replay(made)
        return
    if not new:
        raise _in_progress()
    taken_at = row.created_at

    def answer(session: Session, made: str) -> None:
        if not keys.answer(session, key, taken_at, made):
            raise _in_progress()

    try:
        yield answer
    except BaseException:
        with unit_of_work() as session:
            keys.free(session, key, taken_at)
        raise


def forget_old() -> None:
    """Keys are kept for a day."""
    with unit_of_work() as session:
        keys.forget(session, keep_s=KEEP_S, answer_s=ANSWER_S)


def _in_progress() -> Conflict:
    sentence = "A request with this Idempotency-Key is being answered. Ask again in a second for its answer."
    return Conflict(sentence, code="idempotency_in_progress", headers={"Retry-After": "1"})
