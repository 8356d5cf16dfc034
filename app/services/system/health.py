"""Check the database, the broker and the disk. Each check returns None or a sentence."""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.disk_full import no_room
from app.db.session import unit_of_work
from app.services import queue


def database() -> str | None:
    """Check that the database answers; return None, or a sentence on what is wrong."""
    try:
        with unit_of_work(read_only=True) as session:
            session.execute(text("SELECT count(*) FROM jobs WHERE 1 = 0"))
    except SQLAlchemyError as error:
        refusal = no_room(error)
        return refusal.detail if refusal else f"The database does not answer ({type(error).__name__})."
    return None


def broker() -> str | None:
    """Check that the broker answers and takes messages; return None, or a sentence on what is wrong."""
    from redis.exceptions import ResponseError

    from app.services import broker as transport

    try:
        with queue.celery().connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
            connection.default_channel.probe()
    except ResponseError as error:
        return f"The broker refuses the commands that send a job's message ({error}); jobs wait, none is lost."
    except transport.ERRORS as error:
        return f"The broker does not answer ({type(error).__name__}); jobs wait, none is lost."
    return None
