"""The supervisor of one job at a time: claim it, watch its runner, renew the lease, pass on orders."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError
from structlog.contextvars import bound_contextvars

from app.core import owner
from app.core.disk_full import no_room
from app.core.errors import FencedOut
from app.core.logging import get_logger
from app.core.settings import Settings, get_settings
from app.services.jobs import attempts, lifecycle
from app.services.jobs.attempts import Claim
from forger.wire import JobState
from worker.runner_process import RunnerProcess
from worker.runners.supervisor_link import EXIT_DATABASE_LOST, EXIT_ORPHANED

log = get_logger(__name__)

POLL_S = 0.2
MAX_RENEWAL_INTERVAL_S = 1.0
"""seconds between two renewals of the lease at most; each one also reads requests to pause or cancel"""
BLAMELESS_EXITS = {EXIT_DATABASE_LOST, EXIT_ORPHANED}
"""exit statuses of a runner that ended for a reason outside the job: they do not count as failed attempts"""
_ORDERS = {JobState.PAUSING: "pause", JobState.CANCELLING: "cancel"}


def supervise(job_id: str, closing: threading.Event) -> None:
    """Run attempts of a queued job, the next at once after a runner's death, until it ends or `closing` is set."""
    while not closing.is_set() and (claim := attempts.claim(job_id, owner.this_process())):
        with bound_contextvars(job=job_id, attempt=claim.fence):
            log.info("attempt_started")
            with _report_full_disk(claim):
                Attempt(claim, get_settings(), closing).run()
            log.info("attempt_ended", state=lifecycle.get(job_id).state)


@contextmanager
def _report_full_disk(claim: Claim) -> Iterator[None]:
    """Fail the attempt if the disk is too full to open the runner's log."""
    try:
        yield
    except OSError as error:
        if (refusal := no_room(error)) is None:
            raise
        attempts.fail(claim.job_id, claim.fence, refusal.code, refusal.detail)


class Attempt:
    """One claim and its runner."""

    def __init__(self, claim: Claim, settings: Settings, closing: threading.Event) -> None:
        self._claim = claim
        self._settings = settings
        self._closing = closing
        self._runner = RunnerProcess(claim.job_id, claim.fence, settings.logs / f"{claim.job_id}-{claim.fence}.log")
        self._state = JobState.RUNNING
        self._renew_at = 0.0
        self._ordered: str | None = None
        self._ordered_at = 0.0
        self._verdict: tuple[str, str] | None = None
        self._stopped_by_us = False

    def run(self) -> None:
        """Run the runner until it has ended and the job's row says how."""
        try:
            while (status := self._runner.wait(POLL_S)) is None:
                self._poll()
            self._conclude(status)
        except FencedOut as reason:  # the runner has ended the attempt itself, as it should, or another attempt runs
            log.debug("attempt_already_ended", reason=str(reason))
        finally:
            self._runner.kill()
            self._runner.close()

    def _poll(self) -> None:
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew(now)
        self._pass_on(now)
        if now - self._runner.beat_at > self._settings.silence_s:
            sentence = f"The runner sent no heartbeat for {self._settings.silence_s:g} seconds."
            self._verdict = "no_heartbeat", sentence
            self._runner.kill()

    def _renew(self, now: float) -> None:
        """Renew the lease, which shows that this process lives, and store the runner's progress."""
        step, silent_s = self._runner.step, now - self._runner.beat_at
        try:
            self._state = attempts.renew(
                self._claim.job_id, self._claim.fence, step, self._runner.remaining_s, silent_s
            )
        except OperationalError as error:  # the database may be restarting; if it takes too long, the lease expires
            log.warning("renewal_failed", error=str(error))
        self._renew_at = now + min(self._settings.lease_s / 3, MAX_RENEWAL_INTERVAL_S)

    def _pass_on(self, now: float) -> None:
        """Send the runner a new order once, and kill it if it does not stop within the order's grace period."""
        order = _ORDERS.get(self._state) or ("release" if self._closing.is_set() else None)
        if order is None:
            return
        if order != self._ordered:
            self._runner.order(order)
            self._ordered, self._ordered_at = order, now
        grace = self._grace_s(order)
        if grace is not None and now - self._ordered_at > grace:
            self._stopped_by_us = True
            self._runner.kill()

    def _grace_s(self, order: str) -> float | None:
        """Return the grace period of an order; None for a pause, which waits for the step however long it takes."""
        if self._closing.is_set():
            return self._settings.stop_grace_s
        return self._settings.cancel_grace_s if order == "cancel" else None

    def _conclude(self, status: int) -> None:
        """Record how the runner ended. Raises FencedOut if it has recorded that itself."""
        job_id, fence = self._claim.job_id, self._claim.fence
        if self._stopped_by_us:
            attempts.stop(job_id, fence)
            return
        code, message = self._verdict or ("worker_lost", self._runner.describe_end(status))
        end = attempts.record_worker_loss if status in BLAMELESS_EXITS else attempts.record_runner_loss
        try:
            end(job_id, fence, code, message)
        except OperationalError:  # the lease expires, and the reaper records the loss then
            log.warning("attempt_lost", code=code, message=message, recorded=False)
            raise
        log.warning("attempt_lost", code=code, message=message)
