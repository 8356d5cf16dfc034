"""Refuse new work while the queue or the storage is full."""

from pathlib import Path

from sqlalchemy.orm import Session

from app.core.errors import Busy, NoRoom
from app.core.settings import get_settings
from app.db.repositories import database
from app.db.session import unit_of_work

RETRY_AFTER_S = 60.0


def admit(session: Session, *, jobs: int = 0, stored: int = 0) -> None:
    """Check that `jobs` more queued jobs and `stored` more bytes are within the limits. Raises Busy, NoRoom.

    Call it in the transaction that adds them. It locks the database against other such transactions, so that requests
    at the same time cannot exceed a limit together.
    """
    database.lock(session)
    if jobs:
        _require_place(database.queued(session), jobs)
    if stored > 0:
        _require_bytes(database.stored_bytes(session), stored)


def require_room(stored: int = 1) -> None:
    """Check that `stored` more bytes fit, before a body is read or a file is written. Raises NoRoom."""
    with unit_of_work(read_only=True) as session:
        _require_bytes(database.stored_bytes(session), stored)


def _require_place(waiting: int, more: int) -> None:
    limit = get_settings().max_queued_jobs
    if waiting + more > limit:
        added = "one more" if more == 1 else f"{more} more"
        sentence = f"{waiting} jobs wait, and {added} would be more than {limit} (max_queued_jobs). Send this later."
        raise Busy(sentence, retry_after=RETRY_AFTER_S, code="queue_full")


def _require_bytes(stored: int, more: int) -> None:
    settings = get_settings()
    stored += sum(map(_size, (*settings.prepared.glob("*"), *settings.exported.glob("*/*"))))
    if stored + more > settings.max_stored_bytes:
        sentence = (
            f"{stored:,} bytes are kept or promised to jobs that have not ended, and {more:,} more would be more than "
            f"{settings.max_stored_bytes:,} (max_stored_bytes). Delete jobs, models or datasets that nobody needs."
        )
        raise NoRoom(sentence, code="storage_full")


def _size(path: Path) -> int:
    """Return the size of a file; 0 if it has just been removed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
