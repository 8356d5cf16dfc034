"""The runner: a process that does one attempt of one job, then exits. `python -m worker.runners.main JOB FENCE`."""

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
from app.services.job_spec import Evaluate, Generate, Train, Translate
from app.services.jobs import attempts
from app.services.jobs.attempt_files import FilesLost
from app.services.views import JobView
from models.errors import JobFailure
from models.spec.plugins import PluginFailed, PluginMissing
from worker.runners.memory import confine, unconfine
from worker.runners.supervisor_link import DATABASE_LOST, Lifeline

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from worker.runners.bulk import Bulk
    from worker.runners.evaluate import Evaluator
from worker.runners.train import Runner

log = get_logger(__name__)

NICE = 10
"""So that the API stays quick while a job trains."""


def main(job_id: str, fence: int) -> int:
    """The exit status: 0 when the job's row says how the attempt ended."""
    machine.die_first()  # before this process's files in /proc become root's
    private.begin()
    lifeline = Lifeline()
    lifeline.hold()
    os.nice(NICE)
    configure(get_settings().log_level, "runner")
    bind_contextvars(job=job_id, attempt=fence)
    lifeline.beat(0, now=True)
    try:
        with told_in_words(job_id, fence):
            job = attempts.held(job_id, fence)
            confine(job)
            runner_of(job, fence, lifeline).run()
    except FencedOut as error:
        log.info("fenced_out", reason=str(error))
    except OperationalError:  # no way to tell the row: the supervisor sees the exit, and the job is tried again
        log.exception("database_lost")
        return DATABASE_LOST
    return 0


def runner_of(job: JobView, fence: int, lifeline: Lifeline) -> "Evaluator | Bulk | Runner":
    match job.spec:
        case Evaluate() as spec:
            from worker.runners.evaluate import Evaluator

            return Evaluator(job, spec, fence, lifeline)
        case Generate() | Translate() as spec:
            from worker.runners.bulk import Bulk

            return Bulk(job, spec, fence, lifeline)
        case Train() as spec:
            return Runner(job, spec, fence, lifeline)


@contextmanager
def told_in_words(job_id: str, fence: int) -> Iterator[None]:
    """Whatever ends the work becomes the job's reason, as a sentence."""
    try:
        yield
    except FencedOut:
        raise
    except Exception as error:
        if _loses_the_attempt(error):
            log.exception("attempt_lost")
            attempts.lost(job_id, fence, "files_lost", str(error))
            return
        if isinstance(error, OperationalError) and not no_room(error):
            raise
        unconfine()
        if isinstance(error, PluginMissing | PluginFailed):
            log.warning("attempt_held", reason=str(error))
            attempts.hold(job_id, fence, "plugin_missing", str(error))
            return
        code, message = _explain(error)
        log.exception("attempt_failed", code=code)
        attempts.fail(job_id, fence, code, message)


def _loses_the_attempt(error: Exception) -> bool:
    """Whether files of the job's folder are gone or damaged: the next attempt goes on from those that are whole."""
    from models.checkpoint import DamagedCheckpoint

    return isinstance(error, FilesLost | DamagedCheckpoint)


def _explain(error: Exception) -> tuple[str, str]:
    """Return the code and the sentence that the job's row keeps."""
    if isinstance(error, JobFailure):
        return error.code, str(error)
    if (refusal := no_room(error)) is not None:
        return refusal.code, refusal.detail
    return "internal_error", f"{type(error).__name__}: {str(error).strip() or 'no message'}".split("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
