"""Queries on idempotency keys.

A row that names neither a job nor an experiment means that its request is being answered. The time at which a key was
taken identifies the request that took it: another time means that another request has the key now.
"""

from sqlalchemy import ColumnElement, delete, or_, update
from sqlalchemy.orm import Session

from app.core.ids import is_id
from app.db.session import epoch_now
from app.db.statements import insert_missing
from app.db.tables import IdempotencyKey as Key


def take(session: Session, key: str, fingerprint: str) -> tuple[Key | None, bool]:
    """Return the key's row, None if another request has just freed it; and whether the caller has added it."""
    row = {"key": key, "fingerprint": fingerprint, "job_id": None, "experiment_id": None, "created_at": epoch_now()}
    new = insert_missing(session, Key, row)
    return session.get(Key, key), new


def record_reply(session: Session, key: str, taken_at: float, created_id: str) -> bool:
    """Record the job or experiment that was created. Return False if another request has taken the key over."""
    column = "job_id" if is_id("job", created_id) else "experiment_id"
    statement = update(Key).where(*_unanswered_key(key, taken_at)).values({column: created_id}).returning(Key.key)
    return session.scalar(statement.execution_options(synchronize_session=False)) is not None


def free(session: Session, key: str, taken_at: float) -> None:
    """Delete the key unless its reply was recorded."""
    session.execute(delete(Key).where(*_unanswered_key(key, taken_at)))


def delete_expired(session: Session, *, lifetime_s: float, reply_timeout_s: float, key: str | None = None) -> None:
    """Delete keys older than `lifetime_s`, and those without a reply within `reply_timeout_s`; only `key` if given."""
    unanswered = _unanswered() & (Key.created_at < epoch_now() - reply_timeout_s)
    old = delete(Key).where(or_(unanswered, Key.created_at < epoch_now() - lifetime_s))
    session.execute(old if key is None else old.where(Key.key == key))


def _unanswered_key(key: str, taken_at: float) -> tuple[ColumnElement[bool], ...]:
    return Key.key == key, Key.created_at == taken_at, _unanswered()


def _unanswered() -> ColumnElement[bool]:
    return Key.job_id.is_(None) & Key.experiment_id.is_(None)
