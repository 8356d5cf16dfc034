"""Background threads of every API and worker process: free lost attempts, wake workers, collect garbage."""

import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from app.core import owner
from app.core.errors import FencedOut
from app.core.logging import get_logger
from app.core.names import QUEUES
from app.core.settings import get_settings
from app.db.repositories import jobs as rows
from app.db.repositories.jobs import ActiveAttempt
from app.db.session import unit_of_work
from app.services import queue
from app.services.jobs import attempts
from app.services.system import garbage

log = get_logger(__name__)

RINGS_PER_ROUND = 16
"""jobs that a round rings for at most: only the head of a queue can start soon"""
SWEEP_EVERY_S = 900.0


def reap() -> None:
    """Run one round. Any number of processes may run it at once: each change is a conditional UPDATE."""
    free_lost_attempts()
    for kind in QUEUES:
        with unit_of_work() as session:
            due = rows.due_for_ring(session, kind, get_settings().ring_interval_s, RINGS_PER_ROUND)
        for job_id in due:
            if not queue.ring(job_id, kind):
                return


def free_lost_attempts() -> None:
    """Queue jobs again whose lease has expired, or whose worker was a process of this machine and has ended.

    A worker calls this before it takes a job, so that the jobs of its predecessor go on first.
    """
    with unit_of_work(read_only=True) as session:
        active = rows.active_attempts(session)
    for attempt in active:
        if attempt.expired:
            _free_attempt(attempt, "The worker that had it stopped answering.")
        elif owner.has_ended(attempt.owner):
            _free_attempt(attempt, "The worker that had it ended.")


def _free_attempt(attempt: ActiveAttempt, sentence: str) -> None:
    try:
        state = attempts.record_worker_loss(
            attempt.job_id, attempt.fence, "worker_lost", sentence, only_expired=attempt.expired
        )
    except FencedOut:  # renewed, ended or freed by another process in the meantime
        return
    log.warning("attempt_released", job=attempt.job_id, attempt=attempt.fence, expired=attempt.expired, state=state)
    queue.ring(attempt.job_id, attempt.kind)


def run_once(work: Callable[[], None]) -> None:
    """Run `work`; log its errors, because the next round can repair them."""
    try:
        work()
    except (SQLAlchemyError, OSError) as error:
        log.error("reaper_round_failed", error=str(error))
    except Exception:  # without this thread jobs could wait for ever
        log.exception("reaper_round_failed")


class Reaper:
    """The threads of a process. `stop` waits up to a few seconds for running rounds to end."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        lease = min(max(get_settings().lease_s / 3, 0.5), 5.0)
        # Two threads, because sweeping a large home takes long, and leases must be freed in time.
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
            run_once(work)
