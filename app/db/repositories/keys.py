"""Idempotency keys: a row that names neither job nor experiment means that its request is being answered.

Who took a key is known by the moment it was taken: another moment means that another request has it now.
"""

from sqlalchemy import ColumnElement, delete, or_, update
from sqlalchemy.orm import Session

from app.core.ids import is_id
from app.db.session import epoch_now
from app.db.statements import insert_missing
from app.db.tables import IdempotencyKey as Key


def take(session: Session, key: str, fingerprint: str) -> tuple[Key | None, bool]:
    """The key's row (None: freed by another request this moment), and whether it is new: then the caller has it."""
    row = {"key": key, "fingerprint": fingerprint, "job_id": None, "experiment_id": None, "created_at": epoch_now()}
    new = insert_missing(session, Key, row)
    return session.get(Key, key), new


def answer(session: Session, key: str, taken_at: float, made: str) -> bool:
    """Names the job or experiment that was made; False when another request has taken the key over."""
    column = "job_id" if is_id("job", made) else "experiment_id"
    mine = update(Key).where(*_held(key, taken_at)).values({column: made}).returning(Key.key)
    return session.scalar(mine.execution_options(synchronize_session=False)) is not None


def free(session: Session, key: str, taken_at: float) -> None:
    """Unless it has been answered."""
    session.execute(delete(Key).where(*_held(key, taken_at)))


def forget(session: Session, *, keep_s: float, answer_s: float, key: str | None = None) -> None:
    """Drops keys older than `keep_s`, and those not answered within `answer_s`; of all, or this one if it is such."""
    unanswered = _open() & (Key.created_at < epoch_now() - answer_s)
    old = delete(Key).where(or_(unanswered, Key.created_at < epoch_now() - keep_s))
    session.execute(old if key is None else old.where(Key.key == key))


def _held(key: str, taken_at: float) -> tuple[ColumnElement[bool], ...]:
    return Key.key == key, Key.created_at == taken_at, _open()


def _open() -> ColumnElement[bool]:
    """Not answered yet."""
    return Key.job_id.is_(None) & Key.experiment_id.is_(None)
