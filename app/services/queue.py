"""The message queue: a message names a queued job, and may be lost, doubled or late without harm."""

from functools import lru_cache
from typing import TYPE_CHECKING

from app.core.logging import get_logger
from app.core.names import BROKER_PREFIX, QUEUES, TASKS
from app.core.settings import Settings, get_settings
from forger.wire import TRAIN

if TYPE_CHECKING:  # Celery takes a sixth of an API's import time, and no runner needs it
    from celery import Celery

log = get_logger(__name__)

NON_TRAINING_SLOTS = 1
"""jobs that a worker process evaluates, generates or translates at a time, besides its trainings"""


def make_celery(settings: Settings) -> "Celery":
    """Return the Celery app of API processes and workers: JSON only, no results, early acknowledgement."""
    from celery import Celery

    from app.services import broker

    broker.register()
    app = Celery("forger", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        event_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=QUEUES[TRAIN],
        # A worker's option -Q selects some of them.
        task_queues={name: {"exchange": name, "routing_key": name} for name in QUEUES.values()},
        worker_pool="threads",
        worker_concurrency=settings.slots + NON_TRAINING_SLOTS,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2.0,
        broker_transport_options={
            "global_keyprefix": BROKER_PREFIX,
            "ack_emulation": False,  # a lost message is sent again; Redis would keep each message until its task ends
            "socket_timeout": 3.0,
            "socket_connect_timeout": 2.0,
            "health_check_interval": 10,
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.2,
        },
    )
    return app


@lru_cache
def celery() -> "Celery":
    return make_celery(get_settings())


def ring(job_id: str, kind: str = TRAIN) -> bool:
    """Send a message that a job is queued. Return False if the broker is unreachable: the reaper rings again."""
    from app.services import broker

    try:
        celery().send_task(TASKS[kind], args=[job_id], queue=QUEUES[kind], retry=False)
    except broker.ERRORS as error:
        log.warning("broker_unreachable", job=job_id, error=str(error), consequence="rung again by the reaper")
        return False
    return True
