"""The runner: a process that runs one attempt of one job, then exits. `python -m worker.runners.main JOB FENCE`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError
from structlog.contextvars import bind_contextvars

from app.core import machine
from app.core.disk_full import no_room
from app.core.errors import FencedOut
from app.core.logging import configure, get_logger
from app.core.sandbox import private
from app.core.settings import get_settings
from app.services.job_spec import Augment, Evaluate, Generate, Train, Translate
from app.services.jobs import attempts
from app.services.jobs.attempt_files import FilesLost
from app.services.views import JobView
from models.errors import JobFailure
from models.spec.plugins import PluginFailed, PluginMissing
from worker.runners.memory import lift_memory_limit, limit_memory
from worker.runners.supervisor_link import EXIT_DATABASE_LOST, SupervisorLink
from worker.runners.train import TrainRunner

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from worker.runners.augment import AugmentRunner
    from worker.runners.bulk import BulkRunner
    from worker.runners.evaluate import EvaluateRunner

log = get_logger(__name__)

NICENESS = 10
"""niceness of the runner, so that the API stays responsive while a job trains"""


def main(job_id: str, fence: int) -> int:
    """Run the attempt and return the exit status: 0 if the job's row says how the attempt ended."""
    # This comes before harden_process: afterwards the files of this process in /proc belong to root.
    machine.prefer_as_oom_victim()
    private.harden_process()
    link = SupervisorLink()
    link.open()
    os.nice(NICENESS)
    configure(get_settings().log_level, "runner")
    bind_contextvars(job=job_id, attempt=fence)
    link.beat(0, now=True)
    try:
        with record_failure(job_id, fence):
            job = attempts.current_job(job_id, fence)
            limit_memory(job)
            build_runner(job, fence, link).run()
    except FencedOut as error:
        log.info("fenced_out", reason=str(error))
    except OperationalError:  # the row cannot be written: the supervisor sees the exit status and tries the job again
        log.exception("database_lost")
        return EXIT_DATABASE_LOST
    return 0


def build_runner(
    job: JobView, fence: int, link: SupervisorLink
) -> "EvaluateRunner | BulkRunner | AugmentRunner | TrainRunner":
    match job.spec:
        case Evaluate() as spec:
            from worker.runners.evaluate import EvaluateRunner

            return EvaluateRunner(job, spec, fence, link)
        case Generate() | Translate() as spec:
            from worker.runners.bulk import BulkRunner

            return BulkRunner(job, spec, fence, link)
        case Augment() as spec:
            from worker.runners.augment import AugmentRunner

            return AugmentRunner(job, spec, fence, link)
        case Train() as spec:
            return TrainRunner(job, spec, fence, link)


@contextmanager
def record_failure(job_id: str, fence: int) -> Iterator[None]:
    """Record an error of the block in the job's row, as a code and a sentence.

    FencedOut and a lost database leave the block, since neither can be recorded.
    """
    try:
        yield
    except FencedOut:
        raise
    except Exception as error:
        if _loses_attempt(error):
            log.exception("attempt_lost")
            attempts.record_runner_loss(job_id, fence, "files_lost", str(error))
            return
        if isinstance(error, OperationalError) and not no_room(error):
            raise
        lift_memory_limit()
        if isinstance(error, PluginMissing | PluginFailed):
            log.warning("attempt_paused", reason=str(error))
            attempts.pause_with_reason(job_id, fence, "plugin_missing", str(error))
            return
        code, message = _explain(error)
        log.exception("attempt_failed", code=code)
        attempts.fail(job_id, fence, code, message)


def _loses_attempt(error: Exception) -> bool:
    """Return whether files of the job are missing or damaged. The next attempt continues from the intact ones."""
    from models.checkpoint import DamagedCheckpoint

    return isinstance(error, FilesLost | DamagedCheckpoint)


def _explain(error: Exception) -> tuple[str, str]:
    """Return the error's code and sentence for the job's row."""
    if isinstance(error, JobFailure):
        return error.code, str(error)
    if (refusal := no_room(error)) is not None:
        return refusal.code, refusal.detail
    return "internal_error", f"{type(error).__name__}: {str(error).strip() or 'no message'}".split("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
