"""The inference worker: one engine behind Celery's queue `inference`, for API processes without torch.

Start it with `celery -A worker.inference.worker worker`, or `forger serve --only inference`.
"""

import logging
from typing import Any

from celery import signals

from app.core.logging import configure
from app.core.names import INFER_TASK, INFERENCE_QUEUE
from app.core.settings import get_settings
from app.services.inference.service import local_engine
from app.services.queue import make_celery
from worker import celery_process
from worker.inference.replies import Replier

INTAKE_THREADS = 4
"""threads that take messages; they wait for Redis only, never for the engine"""
PREFETCH_PER_THREAD = 8
"""messages that each of them prefetches"""
EXIT_GRACE_S = 5.0
"""seconds for the engine's current batch when the process is ordered to stop"""

app = make_celery(get_settings())
app.conf.update(
    task_queues={INFERENCE_QUEUE: {"exchange": INFERENCE_QUEUE, "routing_key": INFERENCE_QUEUE}},
    task_default_queue=INFERENCE_QUEUE,
    worker_concurrency=INTAKE_THREADS,
    worker_prefetch_multiplier=PREFETCH_PER_THREAD,
)
_replier: Replier
"""created when the worker starts"""


def infer(**message: Any) -> None:
    _replier.take(**message)


app.task(infer, name=INFER_TASK)


def _logging(**_: Any) -> None:
    configure(get_settings().log_level, "inference")
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)  # a request has its line in the API's log


def _starting(**_: Any) -> None:
    global _replier
    celery_process.prepare()
    _replier = Replier(local_engine(get_settings()), get_settings())


def _ready(**_: Any) -> None:
    celery_process.treat_quit_as_term()


def _shutting_down(**_: Any) -> None:
    celery_process.exit_within(EXIT_GRACE_S)


def _stopping(**_: Any) -> None:
    _replier.close()


signals.celeryd_init.connect(_logging)  # before the first warning
signals.setup_logging.connect(_logging)  # so that Celery leaves logging alone
signals.worker_init.connect(_starting)
signals.worker_ready.connect(_ready)
signals.worker_shutting_down.connect(_shutting_down)
signals.worker_shutdown.connect(_stopping)
