"""Refuse new work while the queue or the storage is full."""

from pathlib import Path

from sqlalchemy.orm import Session

from app.core.errors import Busy, NoRoom
from app.core.settings import get_settings
from app.db.repositories import database
from app.db.session import unit_of_work

RETRY_S = 60.0


def admit(session: Session, *, jobs: int = 0, stored: int = 0) -> None:
    """In the transaction that adds so many queued jobs, and promises so many bytes: one such transaction after the
    other, so that many requests at once cannot pass a limit together. Raises Busy, NoRoom.
    """
    database.lock(session)
    if jobs:
        _require_place(database.queued(session), jobs)
    if stored > 0:
        _require_bytes(database.stored_bytes(session), stored)


def require_room() -> None:
    """Before a body is read that is to be kept: whether there is any room at all. Raises NoRoom."""
    with unit_of_work(read_only=True) as session:
        _require_bytes(database.stored_bytes(session), 1)


def _require_place(waiting: int, more: int) -> None:
    most = get_settings().max_queued_jobs
    if waiting + more > most:
        wish = "one more" if more == 1 else f"{more} more"
        sentence = f"{waiting} jobs wait, and {wish} would be more than {most} (max_queued_jobs). Send this later."
        raise Busy(sentence, retry_after=RETRY_S, code="queue_full")


def _require_bytes(stored: int, more: int) -> None:
    settings = get_settings()
    stored += sum(_size(path) for path in settings.prepared.glob("*"))
    if stored + more > settings.max_stored_bytes:
        sentence = (
            f"{stored:,} bytes are kept or promised to jobs that have not ended, and {more:,} more would be more than "
            f"{settings.max_stored_bytes:,} (max_stored_bytes). Delete jobs, models or datasets that nobody needs."
        )
        raise NoRoom(sentence, code="storage_full")


def _size(path: Path) -> int:
    """0 where it has just been removed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
