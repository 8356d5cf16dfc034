"""Background threads of every API and worker process: free expired leases, wake workers, collect garbage."""

import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from app.core import owner
from app.core.errors import FencedOut
from app.core.logging import get_logger
from app.core.names import QUEUES
from app.core.settings import get_settings
from app.db.repositories import jobs as rows
from app.db.repositories.jobs import Held
from app.db.session import unit_of_work
from app.services import queue
from app.services.jobs import attempts
from app.services.system import garbage

log = get_logger(__name__)

RINGS_AT_ONCE = 16
"""A queue may be long; only its head can start soon."""
SWEEP_EVERY_S = 900.0


def reap() -> None:
    """One round. Safe to run in any number of processes at once: each change is a conditional UPDATE."""
    free()
    for kind in QUEUES:
        with unit_of_work() as session:
            due = rows.due_for_ring(session, kind, get_settings().ring_interval_s, RINGS_AT_ONCE)
        for job_id in due:
            if not queue.ring(job_id, kind):
                return


def free() -> None:
    """Queue the jobs again whose worker is gone: its lease ran out, or it was a process of this machine and ended.

    A worker does so before it takes a job: those of its predecessor come before all that waits.
    """
    with unit_of_work(read_only=True) as session:
        held = rows.held(session)
    for attempt in held:
        if attempt.expired:
            _free(attempt, "The worker that had it stopped answering.")
        elif owner.gone(attempt.owner):
            _free(attempt, "The worker that had it ended.")


def _free(attempt: Held, sentence: str) -> None:
    try:
        state = attempts.abandoned(attempt.job_id, attempt.fence, "worker_lost", sentence, only_expired=attempt.expired)
    except FencedOut:  # renewed, ended or freed by another process in the meantime
        return
    log.warning("attempt_freed", job=attempt.job_id, attempt=attempt.fence, expired=attempt.expired, state=state)
    queue.ring(attempt.job_id, attempt.kind)


def guarded(work: Callable[[], None]) -> None:
    """Run `work` once. Where the database is restarting, the next round does it."""
    try:
        work()
    except (SQLAlchemyError, OSError) as error:
        log.error("reaper_round_failed", error=str(error))
    except Exception:  # jobs wait for ever where the thread has ended
        log.exception("reaper_round_failed")


class Reaper:
    """The threads. `stop` returns once rounds in progress have ended, or after a few seconds."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        lease = min(max(get_settings().lease_s / 3, 0.5), 5.0)
        # Apart, because a sweep of a large home takes long and a lease must be freed in time.
        self._threads = [
            threading.Thread(target=self._run, args=(reap, lease, lease), name="reaper", daemon=True),
            threading.Thread(target=self._run, args=(garbage.sweep, lease, SWEEP_EVERY_S), name="sweeper", daemon=True),
        ]

    def start(self) -> "Reaper":
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def _run(self, work: Callable[[], None], first_s: float, every_s: float) -> None:
        wait = first_s
        while not self._stop.wait(wait):
            wait = every_s
            guarded(work)
