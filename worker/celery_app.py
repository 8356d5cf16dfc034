"""The worker process: wait for messages and supervise runners. It never imports torch.

Start it with `celery -A worker.celery_app worker`.
"""

from typing import Any

from celery import signals

from app.core.logging import configure, get_logger
from app.core.settings import get_settings
from app.services.queue import celery
from app.services.system import reaper
from app.services.system.reaper import Reaper
from worker import celery_process, tasks

log = get_logger(__name__)
app = celery()
tasks.register(app)

_reaper = Reaper()
EXIT_MARGIN_S = 5.0
"""seconds after the jobs' grace period at which the process ends, whatever still hangs"""


def _logging(**_: Any) -> None:
    configure(get_settings().log_level, "worker")


def _starting(**_: Any) -> None:
    celery_process.prepare()
    # This comes before the first message: jobs of a dead worker may block queued ones.
    reaper.run_once(reaper.free_lost_attempts)
    _reaper.start()


def _ready(**_: Any) -> None:
    celery_process.treat_quit_as_term()


def _shutting_down(**_: Any) -> None:
    """Set flags only, since this runs in the signal handler; the supervisors then release their jobs."""
    tasks.closing.set()
    celery_process.exit_within(get_settings().stop_grace_s + EXIT_MARGIN_S)


signals.celeryd_init.connect(_logging)  # before the first warning
signals.setup_logging.connect(_logging)  # so that Celery leaves logging alone
signals.worker_init.connect(_starting)
signals.worker_ready.connect(_ready)
signals.worker_shutting_down.connect(_shutting_down)
